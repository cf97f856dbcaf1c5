%% Links is distributed Erlang: messages from a process of one node to a process of another. It speaks the lines of package pair. The nodes need
%% no epmd: the receiver listens on a given port, and the sender doesn't listen.
-module(links).
-export([main/1]).

%% The same as in package pair.
-define(BYTES, 200).
-define(WINDOW, 4096).
-define(BATCH, 64).
-define(ACK_EACH, 256).
-define(PATIENCE, 60000).

%% main is one half. Args are "receive", or "send", the seconds and the receiver's hello.
main(Args) ->
    try
        half(Args),
        erlang:halt(0)
    catch
        Class:Reason:Stack ->
            io:format(standard_error, "~p: ~p:~p ~p~n", [Args, Class, Reason, Stack]),
            erlang:halt(1)
    end.

half(["receive"]) ->
    Sink = spawn_opt(fun() -> sink(0) end, [{message_queue_data, off_heap}]),
    register(sink, Sink),
    say(atom_to_list(node())),
    hear("meet"),
    say("ok"),
    hear("begin"),
    Before = count(Sink),
    Meter = meter(),
    say("ok"),
    hear("end"),
    result(Meter, count(Sink) - Before);
half(["send", Seconds, Hello]) ->
    Node = list_to_atom(Hello),
    true = net_kernel:connect_node(Node),
    {sink, Node} ! {who, self()},
    Sink = receive {sink, Pid} -> Pid after ?PATIENCE -> error(no_sink) end,
    Envelope = binary:copy(<<0>>, ?BYTES),
    Span = round(measure:number(Seconds) * 1.0e9),
    say("-"),
    hear("warm"),
    Warm = repeat(Sink, Envelope, Span div 4, 0, 0),
    say("ready"),
    hear("go"),
    Meter = meter(),
    Sent = repeat(Sink, Envelope, Span, Warm, Warm),
    result(Meter, Sent - Warm).

%% sink counts what arrives, and acknowledges.
sink(N) ->
    receive
        {envelope, From, _} when (N + 1) rem ?ACK_EACH =:= 0 -> From ! {ack, N + 1}, sink(N + 1);
        {envelope, _, _} -> sink(N + 1);
        {who, From} -> From ! {sink, self()}, sink(N);
        {count, From} -> From ! {count, N}, sink(N)
    end.

count(Sink) ->
    Sink ! {count, self()},
    receive {count, N} -> N end.

%% repeat sends for Span nanoseconds, and on until an acknowledgement is due, and waits until all has arrived. It returns how many were
%% sent, since the beginning.
repeat(Sink, Envelope, Span, Sent, Acked) ->
    repeat(Sink, Envelope, erlang:monotonic_time(nanosecond) + Span, Sent, Acked, Sent).

repeat(Sink, Envelope, End, Sent, Acked, First) ->
    Due = Sent > First andalso Sent rem ?ACK_EACH =:= 0 andalso erlang:monotonic_time(nanosecond) >= End,
    case Due of
        true -> Sent = wait(Sent, Acked);
        false ->
            Now = wait(Sent + ?BATCH - ?WINDOW, Acked),
            batch(Sink, Envelope, ?BATCH),
            repeat(Sink, Envelope, End, Sent + ?BATCH, Now, First)
    end.

batch(_, _, 0) -> ok;
batch(Sink, Envelope, N) ->
    Sink ! {envelope, self(), Envelope},
    batch(Sink, Envelope, N - 1).

%% wait waits until so many have arrived, and returns how many have.
wait(Total, Acked) when Acked >= Total -> Acked;
wait(Total, Acked) ->
    receive {ack, N} -> wait(Total, max(N, Acked))
    after ?PATIENCE -> error({not_arrived, Total - Acked})
    end.

meter() ->
    Cost = measure:reading_cost(),
    {measure:cpu() + Cost, erlang:monotonic_time(nanosecond)}.

result({Cpu, Start}, Ops) ->
    Wall = erlang:monotonic_time(nanosecond) - Start,
    say(io_lib:format("{\"ops\":~b,\"cpu_ns\":~b,\"wall_ns\":~b}", [Ops, max(0, measure:cpu() - Cpu), Wall])).

say(Line) -> io:put_chars([Line, "\n"]).

hear(Word) ->
    case io:get_line("") of
        eof -> error({gone_before, Word});
        Line -> [Word | _] = string:lexemes(Line, " \n")
    end.
