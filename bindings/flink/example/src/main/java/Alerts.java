import io.kleene.flink.Kleene;
import io.kleene.flink.KleeneStreams;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.types.Row;

public class Alerts {
  public static void main(String[] arguments) throws Exception {
    StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
    DataStream<Row> orders =
        env.fromData(
            Types.ROW_NAMED(
                new String[] {"type", "ts", "order_id", "amount"},
                Types.STRING,
                Types.INSTANT,
                Types.STRING,
                Types.DOUBLE),
            Row.of("order_created", Instant.parse("2024-05-01T10:00:00Z"), "o-1", 12.5),
            Row.of("order_created", Instant.parse("2024-05-01T10:01:00Z"), "o-2", 99.0),
            Row.of("order_paid", Instant.parse("2024-05-01T10:05:00Z"), "o-2", null),
            Row.of("order_created", Instant.parse("2024-05-01T10:30:00Z"), "o-3", 1.0));

    String rules =
        new String(
            Alerts.class.getResourceAsStream("/unpaid.cep").readAllBytes(), StandardCharsets.UTF_8);
    KleeneStreams<Row> found =
        Kleene.rules(rules).outOfOrder(Duration.ofSeconds(5)).applyTo(orders);
    found
        .matches()
        .map(alert -> alert.getEnd() + " " + alert.getRule() + " " + alert.getEmit())
        .returns(Types.STRING)
        .print();
    found.rejected().map(event -> "rejected: " + event).returns(Types.STRING).print();
    env.execute("alerts");
  }
}
