import com.amazonaws.services.dynamodbv2.local.main.ServerRunner;
import com.amazonaws.services.dynamodbv2.local.server.DynamoDBProxyServer;
import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

/**
 * DynamoDBLocal in memory on a free port of loopback. Its own main class listens on all addresses and has no option for
 * that, so its connector is replaced before it starts.
 *
 * <p>usage: Loopback FILE. Writes the server's URL to FILE once it answers there.
 */
public final class Loopback {
    private Loopback() {}

    public static void main(String[] arguments) throws Exception {
        // All clients share the tables, whatever their credentials, and nothing is reported to AWS.
        String[] options = {"-inMemory", "-sharedDb", "-disableTelemetry"};
        DynamoDBProxyServer proxy = ServerRunner.createServerFromCommandLineArgs(options);
        Field field = DynamoDBProxyServer.class.getDeclaredField("server");
        field.setAccessible(true);
        Server server = (Server) field.get(proxy);
        ServerConnector loopback = new ServerConnector(server, 1, 1);
        loopback.setHost("127.0.0.1");
        server.setConnectors(new Connector[] {loopback});
        // Not `start`, which reports to AWS and exits by itself if the port is in use.
        proxy.safeStart();
        Path file = Path.of(arguments[0]);
        Path whole = Path.of(arguments[0] + ".new");
        Files.writeString(whole, "http://127.0.0.1:" + loopback.getLocalPort() + "\n");
        Files.move(whole, file);
        proxy.join();
    }
}
