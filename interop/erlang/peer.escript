#!/usr/bin/env escript
%% Does what the tests in tests/interop ask for, a line each, over {packet, N}: tests/interop/doc.go says how.
%%
%%     peer.escript N    1, 2 or 4
%%
%% {packet, N} frames by itself. It does not tell a frame that is cut off from a clean end: both are {error, closed}.
-mode(compile).

main([N]) ->
    put(packet, list_to_integer(N)),
    ok = io:setopts([{encoding, unicode}]),
    Self = self(),
    spawn_link(fun() -> lines(Self) end), %% until the input ends, and all with it
    tasks().

%% lines ends the program with its input, whatever a task waits for.
lines(Tasks) ->
    case io:get_line("") of
        eof -> halt(0);
        Line -> Tasks ! {line, Line}, lines(Tasks)
    end.

tasks() ->
    receive
        {line, Line} ->
            [Role, Port, Case | Rest] = string:split(string:trim(Line, trailing, "\n"), " ", all),
            Argument = unicode:characters_to_binary(lists:join(" ", Rest)),
            io:format("DONE ~s~n", [task(Role, list_to_integer(Port), list_to_atom(Case), Argument)]),
            tasks()
    end.

task("client", Port, Case, Argument) ->
    {ok, Socket} = gen_tcp:connect({127, 0, 0, 1}, Port, options(Case, Argument)),
    do(Case, Argument, Socket);
task("server", 0, Case, Argument) ->
    {ok, Listener} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}} | options(Case, Argument)]),
    {ok, Port} = inet:port(Listener),
    io:format("READY ~b~n", [Port]),
    Said = serve(Listener, Case, Argument),
    gen_tcp:close(Listener),
    Said.

%% torn: connections until one has had a message.
serve(Listener, Case, Argument) ->
    {ok, Socket} = gen_tcp:accept(Listener),
    case do(Case, Argument, Socket) of
        "0 " ++ _ when Case =:= torn -> serve(Listener, Case, Argument);
        Said -> Said
    end.

options(Case, Argument) ->
    Limit = case Case of takes -> [{packet_size, binary_to_integer(Argument)}]; _ -> [] end,
    Packet = case Case of cut -> raw; _ -> get(packet) end,
    [binary, {packet, Packet}, {active, false}, {nodelay, true}, {exit_on_close, false} | Limit].

do(Case, Argument, Socket) ->
    Said = try play(Case, Argument, Socket)
           catch error:cannot -> "cannot"
           end,
    gen_tcp:close(Socket),
    Said.

play(Case, _, Socket) when Case =:= echo; Case =:= torn ->
    echo(Socket, fun(Payload) -> encode(decode(Payload)) end, 0);
play(takes, _, Socket) ->
    echo(Socket, fun(Payload) -> Payload end, 0);
play(bytes, N, Socket) ->
    ok = gen_tcp:send(Socket, binary:copy(<<"x">>, binary_to_integer(N))),
    echo(Socket, fun(Payload) -> Payload end, 0);
play(send, Name, Socket) ->
    ok = gen_tcp:send(Socket, encode(offer(Name))),
    gen_tcp:shutdown(Socket, write),
    count(Socket, 0);
play(finish, _, Socket) ->
    [ok = gen_tcp:send(Socket, encode(#{<<"Int">> => I})) || I <- [0, 1, 2]],
    gen_tcp:shutdown(Socket, write),
    count(Socket, 0);
play(close, _, Socket) ->
    gen_tcp:shutdown(Socket, write),
    count(Socket, 0);
play(cut, Hex, Socket) ->
    ok = gen_tcp:send(Socket, binary:decode_hex(Hex)),
    gen_tcp:shutdown(Socket, write),
    count(Socket, 0);
play(flood, Size, Socket) ->
    N = binary_to_integer(Size),
    {Sender, Ref} = spawn_monitor(fun() -> %% ends when all is sent
        [ok = gen_tcp:send(Socket, encode(#{<<"Int">> => I})) || I <- lists:seq(0, N - 1)],
        ok = gen_tcp:shutdown(Socket, write)
    end),
    Said = numbers(Socket, 0),
    receive {'DOWN', Ref, process, Sender, normal} -> Said end.

echo(Socket, Answer, N) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, Payload} ->
            case gen_tcp:send(Socket, Answer(Payload)) of
                ok -> echo(Socket, Answer, N + 1);
                {error, _} -> said(N, "lost")
            end;
        {error, Reason} ->
            gen_tcp:shutdown(Socket, write),
            said(N, how(Reason))
    end.

count(Socket, N) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, _} -> count(Socket, N + 1);
        {error, Reason} -> said(N, how(Reason))
    end.

numbers(Socket, N) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, Payload} ->
            #{<<"Int">> := N} = decode(Payload),
            numbers(Socket, N + 1);
        {error, Reason} -> said(N, how(Reason))
    end.

said(N, How) -> lists:flatten(io_lib:format("~b ~s", [N, How])).

how(closed) -> "clean";
how(emsgsize) -> "too large";
how(_) -> "lost".

%% What a program in Erlang may send. A binary is sent as str, {bin, Binary} as bin.
offer(<<"2^31">>) -> #{<<"Int">> => 1 bsl 31};
offer(<<"-2^31-1">>) -> #{<<"Int">> => -(1 bsl 31) - 1};
offer(<<"2^32">>) -> #{<<"Int">> => 1 bsl 32};
offer(<<"2^53+1">>) -> #{<<"Int">> => (1 bsl 53) + 1};
offer(<<"2^63-1">>) -> #{<<"Int">> => (1 bsl 63) - 1};
offer(<<"-2^63">>) -> #{<<"Int">> => -(1 bsl 63)};
offer(<<"2^63">>) -> #{<<"Int">> => 1 bsl 63};
offer(<<"uint 2^63">>) -> #{<<"Uint">> => 1 bsl 63};
offer(<<"uint 2^64-1">>) -> #{<<"Uint">> => (1 bsl 64) - 1};
offer(<<"uint 2^64">>) -> #{<<"Uint">> => 1 bsl 64};
offer(<<"uint -1">>) -> #{<<"Uint">> => -1};
offer(<<"float 5 for an int">>) -> #{<<"Int">> => 5.0};
offer(<<"int 5 for a float">>) -> #{<<"Float">> => 5};
offer(<<"int 2^53+1 for a float">>) -> #{<<"Float">> => (1 bsl 53) + 1};
offer(<<"1.5">>) -> #{<<"Float">> => 1.5};
offer(<<"time 32">>) -> #{<<"Time">> => {time, 5, 0}};
offer(<<"time 64">>) -> #{<<"Time">> => {time, 5, 999999999}};
offer(<<"time 96">>) -> #{<<"Time">> => {time, 1 bsl 34, 1}};
offer(<<"before 1970">>) -> #{<<"Time">> => {time, -1, 999999999}};
offer(<<"text for a time">>) -> #{<<"Time">> => <<"2020-01-01T00:00:00Z">>};
offer(<<"int for a time">>) -> #{<<"Time">> => 5};
offer(<<"nil for each field">>) -> maps:from_list([{Name, nil} || Name <- fields()]);
offer(<<"no fields">>) -> #{};
offer(<<"nil for the message">>) -> nil;
offer(<<"nil in a list">>) -> #{<<"List">> => [1, nil]};
offer(<<"str for bytes">>) -> #{<<"Blob">> => <<"é"/utf8>>};
offer(<<"bin for text">>) -> #{<<"Text">> => {bin, <<"é"/utf8>>}};
offer(<<"bin that is no UTF-8 for text">>) -> #{<<"Text">> => {bin, <<255>>}};
offer(<<"text of four bytes">>) -> #{<<"Text">> => <<"😀"/utf8>>};
offer(<<"int for text">>) -> #{<<"Text">> => 5};
offer(<<"int keys">>) -> #{<<"Keys">> => #{1 => <<"a">>, -1 => <<"b">>}};
offer(<<"int keys in an any">>) -> #{<<"Any">> => #{1 => <<"a">>}};
offer(<<"int keys for str keys">>) -> #{<<"Map">> => #{1 => 2}};
offer(<<"an unknown key">>) -> #{<<"Int">> => 5, <<"New">> => [<<"x">>]};
offer(<<"an unknown extension for an unknown key">>) -> #{<<"New">> => {ext, 5, <<1>>}, <<"Int">> => 5};
offer(<<"an unknown extension in an any">>) -> #{<<"Any">> => {ext, 5, <<1>>}};
offer(<<"list for a map">>) -> #{<<"Map">> => []}.

fields() ->
    [<<"Int">>, <<"Uint">>, <<"Float">>, <<"Flag">>, <<"Text">>, <<"Blob">>, <<"Time">>, <<"List">>, <<"Map">>, <<"Keys">>, <<"Next">>, <<"Any">>].

%% MessagePack. Frames of one byte for the length need the shortest form of everything; where there is more
%% room, the longest legal one is written, which the peer has to take as well.
encode(Value) -> iolist_to_binary(pack(Value)).

pack(nil) -> <<16#c0>>;
pack(true) -> <<16#c3>>;
pack(false) -> <<16#c2>>;
pack({float, Bits}) -> <<16#cb, Bits/binary>>;
pack(F) when is_float(F) -> <<16#cb, F:64/float>>;
pack(I) when is_integer(I), I >= -(1 bsl 63), I < 1 bsl 64 -> int(I, get(packet));
pack(I) when is_integer(I) -> error(cannot);
pack(S) when is_binary(S) -> [head(str, byte_size(S), get(packet)), S];
pack({bin, B}) -> [head(bin, byte_size(B), get(packet)), B];
pack({time, Seconds, Nanos}) -> time(Seconds, Nanos);
pack({ext, Type, Data}) -> [<<16#c7, (byte_size(Data)), Type>>, Data];
pack(L) when is_list(L) -> [head(array, length(L), get(packet)) | [pack(V) || V <- L]];
pack(M) when is_map(M) -> [head(map, maps:size(M), get(packet)) | [[pack(K), pack(V)] || {K, V} <- maps:to_list(M)]].

int(I, 1) when I >= -32, I < 128 -> <<I>>;
int(I, 1) when I >= 0, I < 1 bsl 32 -> <<16#ce, I:32>>;
int(I, _) when I < 0 -> <<16#d3, I:64>>;
int(I, _) -> <<16#cf, I:64>>.

head(str, N, 1) when N < 32 -> <<(16#a0 bor N)>>;
head(bin, N, 1) when N < 256 -> <<16#c4, N>>;
head(array, N, 1) when N < 16 -> <<(16#90 bor N)>>;
head(map, N, 1) when N < 16 -> <<(16#80 bor N)>>;
head(str, N, _) -> <<16#db, N:32>>;
head(bin, N, _) -> <<16#c6, N:32>>;
head(array, N, _) -> <<16#dd, N:32>>;
head(map, N, _) -> <<16#df, N:32>>.

time(Seconds, 0) when Seconds >= 0, Seconds < 1 bsl 32 -> <<16#d6, -1, Seconds:32>>;
time(Seconds, Nanos) when Seconds >= 0, Seconds < 1 bsl 34 -> <<16#d7, -1, Nanos:30, Seconds:34>>;
time(Seconds, Nanos) -> <<16#c7, 12, -1, Nanos:32, Seconds:64>>.

decode(Payload) ->
    {Value, <<>>} = unpack(Payload),
    Value.

unpack(<<16#c0, R/binary>>) -> {nil, R};
unpack(<<16#c2, R/binary>>) -> {false, R};
unpack(<<16#c3, R/binary>>) -> {true, R};
unpack(<<0:1, I:7, R/binary>>) -> {I, R};
unpack(<<7:3, I:5, R/binary>>) -> {I - 32, R};
unpack(<<16#cc, I:8, R/binary>>) -> {I, R};
unpack(<<16#cd, I:16, R/binary>>) -> {I, R};
unpack(<<16#ce, I:32, R/binary>>) -> {I, R};
unpack(<<16#cf, I:64, R/binary>>) -> {I, R};
unpack(<<16#d0, I:8/signed, R/binary>>) -> {I, R};
unpack(<<16#d1, I:16/signed, R/binary>>) -> {I, R};
unpack(<<16#d2, I:32/signed, R/binary>>) -> {I, R};
unpack(<<16#d3, I:64/signed, R/binary>>) -> {I, R};
unpack(<<16#cb, F:64/float, R/binary>>) -> {F, R};
unpack(<<16#cb, Bits:8/binary, R/binary>>) -> {{float, Bits}, R}; %% NaN and the infinities, which Erlang has not
unpack(<<5:3, N:5, S:N/binary, R/binary>>) -> {S, R};
unpack(<<16#d9, N:8, S:N/binary, R/binary>>) -> {S, R};
unpack(<<16#da, N:16, S:N/binary, R/binary>>) -> {S, R};
unpack(<<16#c4, N:8, B:N/binary, R/binary>>) -> {{bin, B}, R};
unpack(<<16#c5, N:16, B:N/binary, R/binary>>) -> {{bin, B}, R};
unpack(<<9:4, N:4, R/binary>>) -> list(N, R, []);
unpack(<<16#dc, N:16, R/binary>>) -> list(N, R, []);
unpack(<<8:4, N:4, R/binary>>) -> map(N, R, #{});
unpack(<<16#de, N:16, R/binary>>) -> map(N, R, #{});
unpack(<<16#d6, -1:8/signed, Seconds:32, R/binary>>) -> {{time, Seconds, 0}, R};
unpack(<<16#d7, -1:8/signed, Nanos:30, Seconds:34, R/binary>>) -> {{time, Seconds, Nanos}, R};
unpack(<<16#c7, 12, -1:8/signed, Nanos:32, Seconds:64/signed, R/binary>>) -> {{time, Seconds, Nanos}, R}.

list(0, R, L) -> {lists:reverse(L), R};
list(N, B, L) ->
    {V, R} = unpack(B),
    list(N - 1, R, [V | L]).

map(0, R, M) -> {M, R};
map(N, B, M) ->
    {K, B1} = unpack(B),
    {V, R} = unpack(B1),
    map(N - 1, R, M#{K => V}).
