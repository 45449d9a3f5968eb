// A second MongoDB-wire server for tests: mongo-java-server, in memory, on this machine only. A change of a document is
// atomic in it, which FerretDB needs help with (see scripts/ferretdb).

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.ServerVersion;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import io.netty.channel.Channel;

public final class Server {
    // The driver wants 9 at least. What Stint uses has not changed between the two.
    private static final int WIRE_VERSION = 13;

    // Says a newer wire version than the server's own, which is 8.
    private static final class Backend extends MemoryBackend {
        @Override
        public Document handleCommand(Channel channel, String database, String command, Document query) {
            return raise(super.handleCommand(channel, database, command, query));
        }

        @Override
        public Document handleMessage(MongoMessage message) {
            return raise(super.handleMessage(message));
        }

        private static Document raise(Document answer) {
            if (answer != null && answer.containsKey("maxWireVersion")) {
                answer.put("maxWireVersion", WIRE_VERSION);
            }
            return answer;
        }
    }

    // Listens until it is stopped, and writes its address to a file as soon as it does.
    public static void main(String[] arguments) throws Exception {
        if (arguments.length != 1) {
            System.err.println("usage: Server ADDRESS-FILE");
            System.exit(2);
        }
        MongoServer server = new MongoServer(new Backend().version(ServerVersion.MONGO_5_0));
        server.bind("127.0.0.1", 0);
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
        Path file = Path.of(arguments[0]);
        Path fresh = Path.of(arguments[0] + ".new");
        Files.writeString(fresh, "mongodb://127.0.0.1:" + server.getLocalAddress().getPort() + "/\n");
        Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
    }

    private Server() {}
}
