%% Forgiving is a supervisor whose flags and children are its arguments.
-module(forgiving).
-behaviour(supervisor).
-export([init/1]).

init(Spec) -> {ok, Spec}.
