%% Contest is the contestant of benchmarks/actors made of Erlang's processes and OTP's gen_server and supervisor. Its workloads do what
%% those of the same names do in the contestants written in Go; what only one kind of runtime has is said at the workload.
-module(contest).
-export([main/1]).

%% Sizes of a round, as in package measure.
-define(FANIN_EACH, 100).
-define(CALLS_EACH, 1000).
-define(SUPERVISORS, 64).
rally(Pairs) -> max(200, 20000 div Pairs).

main(Args) ->
    logger:set_primary_config(level, none), % crashes are on purpose
    measure:main(Args, fun work/3).

work("spawn", N, Span) -> spawning(N, Span);
work("idle", N, _) -> idle(N, fun resident/1);
work("hibernated", N, _) -> idle(N, fun hibernated/1);
work("pingpong", N, Span) -> pingpong(N, Span);
work("fanin", N, Span) -> fanin(N, Span);
work("broadcast", N, Span) -> broadcast(N, Span);
work("call-inside", _, Span) -> call(Span);
work("call-outside", _, Span) -> call(Span);
work("call-shared", _, Span) -> call(Span);
work("monitor", N, Span) -> monitoring(N, Span);
work("restart-dynamic", N, Span) -> restart_dynamic(N, Span);
work("restart-static", N, Span) -> restart_static(N, Span);
work("wake", N, Span) -> wake(N, Span).

%% A resident counts its messages with a tally, until it is told to end.
resident(Tally) ->
    receive
        stop -> ok;
        _ -> measure:hit(Tally), resident(Tally)
    end.

%% The same, hibernating after each message.
hibernated(Tally) ->
    receive
        stop -> ok;
        _ -> measure:hit(Tally), proc_lib:hibernate(erlang, apply, [fun hibernated/1, [Tally]])
    end.

%% greet starts processes, each of which handles a message. Their names are their pids.
greet(N, Tally, Run) ->
    measure:expect(Tally, N),
    Pids = greet(N, Run, Tally, []),
    measure:wait(Tally),
    Pids.

greet(0, _, _, Pids) -> Pids;
greet(N, Run, Tally, Pids) ->
    Pid = spawn(fun() -> Run(Tally) end),
    Pid ! 1,
    greet(N - 1, Run, Tally, [Pid | Pids]).

spawning(N, Span) ->
    Tally = measure:tally(),
    Clear = fun() -> downs([begin M = monitor(process, P), P ! stop, M end || P <- forget()]) end,
    measure:loop(Span, Clear, fun(_) -> put(kept, greet(N, Tally, fun resident/1)), N end).

downs([]) -> ok;
downs([M | More]) ->
    receive {'DOWN', M, process, _, _} -> downs(More) end.

%% idle keeps nothing of the processes, which are found by nobody: a name for each would be an atom, of which there are a million at
%% most, or a row in a table.
idle(N, Run) ->
    Tally = measure:tally(),
    measure:growth(N, fun(From, To) ->
        measure:expect(Tally, To - From),
        nameless(To - From, Run, Tally),
        measure:wait(Tally)
    end).

nameless(0, _, _) -> ok;
nameless(N, Run, Tally) ->
    spawn(fun() -> Run(Tally) end) ! 1,
    nameless(N - 1, Run, Tally).

pingpong(Pairs, Span) ->
    Tally = measure:tally(),
    Rally = rally(Pairs),
    Serving = [begin
        A = spawn_link(fun() -> receive {peer, B} -> player(B, Tally) end end),
        B = spawn_link(fun() -> player(A, Tally) end),
        A ! {peer, B},
        A
    end || _ <- lists:seq(1, Pairs)],
    measure:loop(Span, none, fun(_) ->
        measure:expect(Tally, Pairs),
        [P ! Rally || P <- Serving],
        measure:wait(Tally),
        Pairs * (Rally + 1)
    end).

player(Peer, Tally) ->
    receive
        0 -> measure:hit(Tally);
        Left -> Peer ! Left - 1
    end,
    player(Peer, Tally).

fanin(Senders, Span) ->
    Tally = measure:tally(),
    PerRound = Senders * ?FANIN_EACH,
    Sink = spawn_link(fun() -> sink(0, PerRound, Tally) end),
    Crowd = [spawn_link(fun() -> sender(Sink) end) || _ <- lists:seq(1, Senders)],
    measure:loop(Span, none, fun(_) ->
        measure:expect(Tally, 1),
        [P ! 1 || P <- Crowd],
        measure:wait(Tally),
        PerRound
    end).

sink(PerRound, PerRound, Tally) -> measure:hit(Tally), sink(0, PerRound, Tally);
sink(N, PerRound, Tally) -> receive _ -> sink(N + 1, PerRound, Tally) end.

sender(Sink) ->
    receive _ -> send(?FANIN_EACH, Sink) end,
    sender(Sink).

send(0, _) -> ok;
send(N, To) -> To ! N, send(N - 1, To).

broadcast(N, Span) ->
    Tally = measure:tally(),
    Crowd = [spawn_link(fun() -> resident(Tally) end) || _ <- lists:seq(1, N)],
    Speaker = spawn_link(fun() -> speaker(Crowd) end),
    measure:loop(Span, none, fun(_) ->
        measure:expect(Tally, N),
        Speaker ! 1,
        measure:wait(Tally),
        N
    end).

speaker(Crowd) ->
    receive Msg -> [P ! Msg || P <- Crowd] end,
    speaker(Crowd).

%% call makes calls to a gen_server, with the default deadline of 5 s. The caller is a process: there is no outside.
call(Span) ->
    {ok, Server} = gen_server:start_link(worker, none, []),
    measure:loop(Span, none, fun(_) -> calls(?CALLS_EACH, Server), ?CALLS_EACH end).

calls(0, _) -> ok;
calls(N, Server) ->
    N = gen_server:call(Server, N),
    calls(N - 1, Server).

monitoring(N, Span) ->
    Tally = measure:tally(),
    Watcher = spawn_link(fun watcher/0),
    measure:loop(Span, fun() -> greet(N, Tally, fun resident/1) end, fun(Pids) ->
        Watcher ! {watch, self(), Pids},
        receive {Watcher, seen} -> N end
    end).

watcher() ->
    receive
        {watch, From, Pids} ->
            [begin monitor(process, P), P ! stop end || P <- Pids],
            seen(length(Pids)),
            From ! {self(), seen}
    end,
    watcher().

seen(0) -> ok;
seen(N) -> receive {'DOWN', _, process, _, _} -> seen(N - 1) end.

%% Children are crashed under supervisors that have no crash behind them: OTP's supervisor goes through the list of all restarts of its
%% period at each one, and many in a row would measure that.
restart_dynamic(N, Span) ->
    restarting(N, Span, #{strategy => simple_one_for_one}, fun(_, Tally) -> [worker(worker, Tally)] end,
        fun(Sup, Each) -> [{ok, _} = supervisor:start_child(Sup, []) || _ <- lists:seq(1, Each)] end).

restart_static(N, Span) ->
    restarting(N, Span, #{strategy => one_for_one}, fun(Each, Tally) -> [worker(I, Tally) || I <- lists:seq(1, Each)] end,
        fun(_, _) -> ok end).

worker(Id, Tally) -> #{id => Id, start => {worker, start_link, [Tally]}}.

restarting(N, Span, Flags, Children, Start) ->
    Tally = measure:tally(),
    Each = max(1, N div ?SUPERVISORS),
    All = Each * ?SUPERVISORS,
    Fresh = fun() ->
        [begin unlink(S), M = monitor(process, S), exit(S, shutdown), downs([M]) end || S <- forget()],
        measure:expect(Tally, All),
        Sups = [begin
            {ok, Sup} = supervisor:start_link(forgiving, {Flags#{intensity => 1 bsl 40, period => 1}, Children(Each, Tally)}),
            Start(Sup, Each),
            Sup
        end || _ <- lists:seq(1, ?SUPERVISORS)],
        measure:wait(Tally),
        put(kept, Sups),
        [P || S <- Sups, {_, P, _, _} <- supervisor:which_children(S)]
    end,
    measure:loop(Span, Fresh, fun(Pids) ->
        measure:expect(Tally, All),
        [gen_server:cast(P, crash) || P <- Pids],
        measure:wait(Tally),
        All
    end).

%% forget is what a round has kept for the next.
forget() ->
    case erase(kept) of
        undefined -> [];
        Pids -> Pids
    end.

%% wake sends messages to hibernated processes: each wakes, handles its message and hibernates again.
wake(N, Span) ->
    Tally = measure:tally(),
    Pids = greet(N, Tally, fun hibernated/1),
    measure:loop(Span, none, fun(_) ->
        measure:expect(Tally, N),
        [P ! 1 || P <- Pids],
        measure:wait(Tally),
        N
    end).
