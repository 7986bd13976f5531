#!/usr/bin/env escript
%% A client in raw mode with the framing Uint32: order.escript PORT
-mode(compile).

main([Port]) ->
    ok = io:setopts([{encoding, unicode}]),
    {ok, Socket} = gen_tcp:connect({127, 0, 0, 1}, list_to_integer(Port), [
        binary, {packet, 4}, {active, false}, {nodelay, true},
        {packet_size, 1 bsl 20}, %% the library's limit; there is none otherwise
        {exit_on_close, false} %% else what is still to be sent is lost when the peer has ended
    ]),
    Order = #{<<"ID">> => (1 bsl 53) + 1, <<"Price">> => 5.0, <<"Placed">> => {time, 1767323045, 123456789}, <<"Note">> => nil, <<"Blob">> => {bin, <<255>>}},
    ok = gen_tcp:send(Socket, pack(Order)),
    {ok, Payload} = gen_tcp:recv(Socket, 0),
    {Got, <<>>} = unpack(Payload),
    #{<<"ID">> := ID, <<"Price">> := Price, <<"Placed">> := {time, Seconds, Nanos}, <<"Note">> := Note, <<"Blob">> := Blob} = Got,
    io:format("~b ~.1f ~b ~b ~ts ~p~n", [ID, Price, Seconds, Nanos, Note, Blob =:= nil]),
    ok = gen_tcp:shutdown(Socket, write), %% no more comes from here
    {error, closed} = gen_tcp:recv(Socket, 0).

%% As much of MessagePack as an order needs. OTP has none; a binary is text, {bin, Binary} is bytes.
pack(Value) -> iolist_to_binary(item(Value)).

item(nil) -> <<16#c0>>;
item(F) when is_float(F) -> <<16#cb, F/float>>; %% 5.0 and 5 differ: an int64 takes no float
item(I) when is_integer(I), I < 0 -> <<16#d3, I:64>>;
item(I) when is_integer(I), I < 1 bsl 64 -> <<16#cf, I:64>>;
item(S) when is_binary(S) -> <<16#db, (byte_size(S)):32, S/binary>>;
item({bin, B}) -> <<16#c6, (byte_size(B)):32, B/binary>>;
item({time, Seconds, Nanos}) -> <<16#c7, 12, -1, Nanos:32, Seconds:64>>;
item(M) when is_map(M) -> [<<16#df, (maps:size(M)):32>> | [[item(K), item(V)] || {K, V} <- maps:to_list(M)]].

unpack(<<16#c0, R/binary>>) -> {nil, R};
unpack(<<0:1, I:7, R/binary>>) -> {I, R};
unpack(<<16#cc, I:8, R/binary>>) -> {I, R};
unpack(<<16#cd, I:16, R/binary>>) -> {I, R};
unpack(<<16#ce, I:32, R/binary>>) -> {I, R};
unpack(<<16#cf, I:64, R/binary>>) -> {I, R};
unpack(<<16#cb, F/float, R/binary>>) -> {F, R};
unpack(<<5:3, N:5, S:N/binary, R/binary>>) -> {S, R};
unpack(<<16#d9, N, S:N/binary, R/binary>>) -> {S, R};
unpack(<<16#c4, N, B:N/binary, R/binary>>) -> {{bin, B}, R};
unpack(<<16#d6, -1:8/signed, Seconds:32, R/binary>>) -> {{time, Seconds, 0}, R};
unpack(<<16#d7, -1:8/signed, Nanos:30, Seconds:34, R/binary>>) -> {{time, Seconds, Nanos}, R};
unpack(<<16#c7, 12, -1:8/signed, Nanos:32, Seconds:64/signed, R/binary>>) -> {{time, Seconds, Nanos}, R};
unpack(<<8:4, N:4, R/binary>>) -> fields(N, R, #{}).

fields(0, R, M) -> {M, R};
fields(N, B, M) ->
    {K, B1} = unpack(B),
    {V, R} = unpack(B1),
    fields(N - 1, R, M#{K => V}).
