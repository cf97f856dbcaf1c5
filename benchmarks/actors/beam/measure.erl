%% Measure is what the workloads of contest.erl share: the command line, the line of JSON that answers it, and how processor time and
%% memory are taken. It does what package measure does for the contestants written in Go.
-module(measure).
-export([main/2, loop/3, growth/2, tally/0, expect/2, hit/1, wait/1, number/1, cpu/0, reading_cost/0]).

%% The actors that growth/2 starts before it begins to count.
-define(FEW, 1000).

%% After how long a wait is given up, in milliseconds.
-define(PATIENCE, 120000).

%% main does one measurement. Args are the workload, its size and the seconds, as strings; Work is called with the first two and
%% the span in microseconds, and returns what loop/3 or growth/2 does.
main(Args, Work) ->
    try
        [Workload, Size, Seconds] = Args,
        {Ops, Cpu, Wall, Bytes} = Work(Workload, list_to_integer(Size), round(number(Seconds) * 1.0e6)),
        io:format("{\"ops\":~b,\"cpu_ns\":~b,\"wall_ns\":~b,\"bytes\":~b}~n", [Ops, max(0, Cpu), Wall, Bytes]),
        erlang:halt(0)
    catch
        Class:Reason:Stack ->
            io:format(standard_error, "~p: ~p:~p ~p~n", [Args, Class, Reason, Stack]),
            erlang:halt(1)
    end.

number(S) ->
    try list_to_float(S) catch error:badarg -> float(list_to_integer(S)) end.

%% loop repeats a round until Span microseconds have been measured; a quarter of it, one round at least, comes before and isn't
%% counted. Round gets what Prepare returned and returns how many operations it did. If Prepare is none all rounds are measured
%% at once, otherwise each by itself, without Prepare.
loop(Span, Prepare, Round) ->
    Cost = reading_cost(),
    measure(Span div 4, Prepare, Round, Cost),
    measure(Span, Prepare, Round, Cost).

measure(Span, none, Round, Cost) ->
    Cpu = cpu(),
    Start = erlang:monotonic_time(nanosecond),
    {Ops, Wall} = repeat(Start, Span * 1000, Round, 0),
    {Ops, cpu() - Cpu - Cost, Wall, 0};
measure(Span, Prepare, Round, Cost) ->
    prepared(Span * 1000, Prepare, Round, Cost, {0, 0, 0}).

repeat(Start, Span, Round, Ops0) ->
    Ops = Ops0 + Round(none),
    case erlang:monotonic_time(nanosecond) - Start of
        Wall when Wall >= Span -> {Ops, Wall};
        _ -> repeat(Start, Span, Round, Ops)
    end.

prepared(Span, _, _, _, {Ops, Cpu, Wall}) when Ops > 0, Wall >= Span ->
    {Ops, Cpu, Wall, 0};
prepared(Span, Prepare, Round, Cost, {Ops, Cpu, Wall}) ->
    Prepared = Prepare(),
    Before = cpu(),
    Start = erlang:monotonic_time(nanosecond),
    More = Round(Prepared),
    End = erlang:monotonic_time(nanosecond),
    prepared(Span, Prepare, Round, Cost, {Ops + More, Cpu + cpu() - Before - Cost, Wall + End - Start}).

%% growth builds N actors with Build(From, To), and measures what they cost and by how much the resident memory of the system
%% grew. Those before them bring the tables that any number needs.
growth(N, Build) ->
    Build(0, ?FEW),
    Before = resident(),
    Cost = reading_cost(),
    Cpu = cpu(),
    Start = erlang:monotonic_time(nanosecond),
    Build(?FEW, ?FEW + N),
    Wall = erlang:monotonic_time(nanosecond) - Start,
    Spent = cpu() - Cpu - Cost,
    {N, Spent, Wall, resident() - Before}.

%% cpu is the user and system time of all threads so far, in nanoseconds. statistics(runtime) leaves the system time out.
cpu() ->
    {ok, Threads} = file:list_dir("/proc/self/task"),
    lists:sum([of_thread(T) || T <- Threads]).

of_thread(T) ->
    {ok, Line} = file:read_file(["/proc/self/task/", T, "/schedstat"]),
    [Time | _] = binary:split(Line, <<" ">>),
    binary_to_integer(Time).

%% reading_cost is what a reading adds to the difference between two: the median of nine.
reading_cost() ->
    lists:nth(5, lists:sort([- cpu() + cpu() || _ <- lists:seq(1, 9)])).

%% resident is the resident memory of the system, in bytes.
resident() ->
    erlang:garbage_collect(),
    {ok, Status} = file:read_file("/proc/self/status"),
    {match, [Kilobytes]} = re:run(Status, "VmRSS:\\s*(\\d+) kB", [{capture, all_but_first, binary}]),
    binary_to_integer(Kilobytes) * 1024.

%% A tally lets one process wait until something has happened so many times in others. Its hits are counted as a Go contestant
%% counts them, with an atomic; the last sends a message.
tally() -> {atomics:new(1, []), self()}.

expect({Left, _}, N) -> atomics:put(Left, 1, N).

hit({Left, Waiting}) ->
    case atomics:sub_get(Left, 1, 1) of
        0 -> Waiting ! {tally, Left}, ok;
        _ -> ok
    end.

wait({Left, _}) ->
    receive {tally, Left} -> ok
    after ?PATIENCE -> error({missing, atomics:get(Left, 1)})
    end.
