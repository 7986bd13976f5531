import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufInputStream;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.LengthFieldPrepender;
import io.netty.handler.codec.TooLongFrameException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.msgpack.core.MessageBufferPacker;
import org.msgpack.core.MessagePack;
import org.msgpack.core.MessageUnpacker;
import org.msgpack.value.Value;

/** Does what the tests in tests/interop ask for, a line each: tests/interop/doc.go says how. */
final class Peer extends SimpleChannelInboundHandler<ByteBuf> {
    private final String name;
    private final String argument;
    private final BlockingQueue<String> done;
    private int count;
    private String how = "clean";

    private Peer(String name, String argument, BlockingQueue<String> done) {
        this.name = name;
        this.argument = argument;
        this.done = done;
    }

    public static void main(String[] args) throws Exception {
        NioEventLoopGroup loop = new NioEventLoopGroup(1);
        BlockingQueue<String> tasks = new LinkedBlockingQueue<>();
        new Thread(() -> {
            new BufferedReader(new InputStreamReader(System.in)).lines().forEach(tasks::add);
            System.exit(0); // whatever a task waits for
        }).start();
        while (true) {
            String line = tasks.take();
            String[] words = (line + " ").split(" ", 4);
            System.out.println("DONE " + run(loop, words[0], Integer.parseInt(words[1]), words[2], words[3].trim()));
        }
    }

    private static String run(NioEventLoopGroup loop, String role, int port, String name, String argument) throws InterruptedException {
        BlockingQueue<String> done = new LinkedBlockingQueue<>();
        ChannelInitializer<SocketChannel> peer = new ChannelInitializer<SocketChannel>() {
            @Override protected void initChannel(SocketChannel channel) {
                int limit = name.equals("takes") ? Integer.parseInt(argument) : 1 << 20;
                channel.pipeline().addLast(new LengthFieldBasedFrameDecoder(4 + limit, 0, 4, 0, 4));
                if (!name.equals("cut")) channel.pipeline().addLast(new LengthFieldPrepender(4));
                channel.pipeline().addLast(new Peer(name, argument, done));
            }
        };
        if (role.equals("client")) {
            new Bootstrap().group(loop).channel(NioSocketChannel.class).option(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .handler(peer).connect("127.0.0.1", port).sync();
            return done.take();
        }
        Channel listener = new ServerBootstrap().group(loop).channel(NioServerSocketChannel.class)
            .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true).childHandler(peer).bind("127.0.0.1", 0).sync().channel();
        System.out.println("READY " + ((InetSocketAddress) listener.localAddress()).getPort());
        String said = done.take();
        while (name.equals("torn") && said.startsWith("0 ")) said = done.take(); // connections until one has had a message
        listener.close().sync();
        return said;
    }

    private static ByteBuf number(int i) throws IOException {
        try (MessageBufferPacker packer = MessagePack.newDefaultBufferPacker()) {
            packer.packMapHeader(1).packString("Int").packInt(i);
            return Unpooled.wrappedBuffer(packer.toByteArray());
        }
    }

    private static Value value(ByteBuf payload) throws IOException {
        try (MessageUnpacker unpacker = MessagePack.newDefaultUnpacker(new ByteBufInputStream(payload))) {
            return unpacker.unpackValue();
        }
    }

    @Override public void channelActive(ChannelHandlerContext context) throws IOException {
        switch (name) {
            case "bytes":
                context.writeAndFlush(Unpooled.wrappedBuffer("x".repeat(Integer.parseInt(argument)).getBytes()));
                break;
            case "flood":
                for (int i = 0; i < Integer.parseInt(argument); i++) context.write(number(i));
                break;
            case "finish":
                for (int i = 0; i < 3; i++) context.write(number(i));
                break;
            case "cut":
                ByteBuf bytes = Unpooled.buffer();
                for (int i = 0; i < argument.length(); i += 2) bytes.writeByte(Integer.parseInt(argument.substring(i, i + 2), 16));
                context.write(bytes);
                break;
            default:
        }
        if (name.equals("flood") || name.equals("finish") || name.equals("cut") || name.equals("close")) {
            written(context).addListener(f -> ((SocketChannel) context.channel()).shutdownOutput());
        }
    }

    @Override protected void channelRead0(ChannelHandlerContext context, ByteBuf payload) throws IOException {
        switch (name) {
            case "echo": case "torn":
                try (MessageBufferPacker packer = MessagePack.newDefaultBufferPacker()) {
                    packer.packValue(value(payload));
                    context.writeAndFlush(Unpooled.wrappedBuffer(packer.toByteArray()));
                }
                break;
            case "bytes": case "takes":
                context.writeAndFlush(payload.retain());
                break;
            case "flood":
                Value got = value(payload).asMapValue().map().get(org.msgpack.value.ValueFactory.newString("Int"));
                if (got.asIntegerValue().asInt() != count) throw new IOException("another number");
                break;
            default:
        }
        count++;
    }

    @Override public void userEventTriggered(ChannelHandlerContext context, Object event) {
        if (event instanceof ChannelInputShutdownEvent) written(context).addListener(ChannelFutureListener.CLOSE); // the peer has ended
    }

    /** written is done when all is: close and shutdownOutput drop what still waits. */
    private static ChannelFuture written(ChannelHandlerContext context) {
        return context.pipeline().firstContext().writeAndFlush(Unpooled.EMPTY_BUFFER); // not through the LengthFieldPrepender
    }

    @Override public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        how = cause instanceof TooLongFrameException ? "too large" : "lost";
        context.close();
    }

    @Override public void channelInactive(ChannelHandlerContext context) {
        done.add(count + " " + how);
    }
}
