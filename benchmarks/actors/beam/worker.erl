%% Worker is a gen_server that answers a call with the request, and crashes when told. With a tally it counts its starts.
-module(worker).
-behaviour(gen_server).
-export([start_link/1, init/1, handle_call/3, handle_cast/2]).

start_link(Tally) -> gen_server:start_link(?MODULE, Tally, []).

init(none) -> {ok, none};
init(Tally) -> measure:hit(Tally), {ok, Tally}.

handle_call(Request, _, State) -> {reply, Request, State}.

handle_cast(crash, _) -> error(told_to).
