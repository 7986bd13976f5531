import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufInputStream;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.LengthFieldPrepender;
import java.io.IOException;
import java.math.BigInteger;
import java.time.Instant;
import org.msgpack.core.MessageBufferPacker;
import org.msgpack.core.MessagePack;
import org.msgpack.core.MessageUnpacker;

/** A client in raw mode with the framing Uint32: Order PORT. */
final class Order {
    BigInteger id = BigInteger.ZERO; // a uint64 is more than a long holds
    double price;
    Instant placed; // nanoseconds, as in Go
    String note; // null is nil
    byte[] blob;

    byte[] pack() throws IOException {
        try (MessageBufferPacker packer = MessagePack.newDefaultBufferPacker()) {
            packer.packMapHeader(5);
            packer.packString("ID").packBigInteger(id);
            packer.packString("Price").packDouble(price);
            packer.packString("Placed").packTimestamp(placed);
            packer.packString("Note");
            if (note == null) packer.packNil();
            else packer.packString(note);
            packer.packString("Blob");
            if (blob == null) packer.packNil();
            else packer.packBinaryHeader(blob.length).writePayload(blob);
            return packer.toByteArray();
        }
    }

    static Order unpack(ByteBuf payload) throws IOException {
        Order order = new Order();
        try (MessageUnpacker unpacker = MessagePack.newDefaultUnpacker(new ByteBufInputStream(payload))) {
            for (int n = unpacker.unpackMapHeader(); n > 0; n--) {
                String name = unpacker.unpackString();
                if (unpacker.tryUnpackNil()) continue; // nil is zero, whatever the field is
                switch (name) {
                    case "ID": order.id = unpacker.unpackBigInteger(); break;
                    case "Price": order.price = unpacker.unpackDouble(); break;
                    case "Placed": order.placed = unpacker.unpackTimestamp(); break;
                    case "Note": order.note = unpacker.unpackString(); break;
                    case "Blob": order.blob = unpacker.readPayload(unpacker.unpackBinaryHeader()); break;
                    default: unpacker.skipValue(); // a field of a newer version
                }
            }
        }
        return order;
    }

    public static void main(String[] args) throws Exception {
        NioEventLoopGroup loop = new NioEventLoopGroup(1);
        try {
            new Bootstrap().group(loop).channel(NioSocketChannel.class)
                .option(ChannelOption.TCP_NODELAY, true)
                .option(ChannelOption.ALLOW_HALF_CLOSURE, true) // else Netty closes when the peer has ended
                .handler(new ChannelInitializer<SocketChannel>() {
                    @Override protected void initChannel(SocketChannel channel) {
                        // Of 1 MiB at most, and the 4 bytes of its length, which are stripped.
                        channel.pipeline().addLast(new LengthFieldBasedFrameDecoder(4 + (1 << 20), 0, 4, 0, 4), new LengthFieldPrepender(4), new Client());
                    }
                })
                .connect("127.0.0.1", Integer.parseInt(args[0])).sync().channel().closeFuture().sync();
        } finally {
            loop.shutdownGracefully(0, 1, java.util.concurrent.TimeUnit.SECONDS).sync();
        }
    }

    private static final class Client extends SimpleChannelInboundHandler<ByteBuf> {
        @Override public void channelActive(ChannelHandlerContext context) throws IOException {
            Order order = new Order();
            order.id = BigInteger.ONE.shiftLeft(53).add(BigInteger.ONE);
            order.price = 5;
            order.placed = Instant.ofEpochSecond(1767323045, 123456789);
            order.blob = new byte[] {(byte) 0xff};
            context.writeAndFlush(Unpooled.wrappedBuffer(order.pack()));
        }

        @Override protected void channelRead0(ChannelHandlerContext context, ByteBuf payload) throws IOException {
            Order order = unpack(payload);
            String line = order.id + " " + order.price + " " + order.placed.getEpochSecond() + " " + order.placed.getNano() + " " + order.note + " " + (order.blob == null);
            System.out.write((line + "\n").getBytes(java.nio.charset.StandardCharsets.UTF_8));
            System.out.flush();
            ((SocketChannel) context.channel()).shutdownOutput(); // no more comes from here
        }

        @Override public void userEventTriggered(ChannelHandlerContext context, Object event) {
            context.close(); // the peer has ended, too
        }

        @Override public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            cause.printStackTrace();
            context.close();
        }
    }
}
