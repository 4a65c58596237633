package io.kleene.flink.bench;

import io.kleene.flink.Kleene;
import io.kleene.flink.KleeneStreams;
import io.kleene.flink.PackOnly;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.cep.CEP;
import org.apache.flink.cep.functions.PatternProcessFunction;
import org.apache.flink.cep.functions.TimedOutPartialMatchHandler;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.KeyedStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.streaming.api.functions.co.ProcessJoinFunction;
import org.apache.flink.types.Row;
import org.apache.flink.util.Collector;
import org.apache.flink.util.OutputTag;

/** The jobs that are compared. Each counts its matches, and its timeouts where there are such. */
enum Jobs {
  /** The rules of the workload in Kleene. */
  KLEENE("Kleene") {
    @Override
    void build(Workload workload, String rules, DataStream<Row> events) {
      KleeneStreams<Row> found = Kleene.rules(rules).applyTo(events);
      Meter.count(found.matches(), MATCHES);
      Meter.count(found.timeouts(), TIMEOUTS);
      // What goes here is missing above: these counts have to be 0.
      Meter.count(found.limits(), "limits");
      Meter.count(found.late(), "late");
      Meter.count(found.rejected(), "rejected");
    }
  },
  /** The same without the captured events in results. */
  KLEENE_BARE("Kleene, results without events") {
    @Override
    void build(Workload workload, String rules, DataStream<Row> events) {
      KleeneStreams<Row> found = Kleene.rules(rules).withoutEvents().applyTo(events);
      Meter.count(found.matches(), MATCHES);
      Meter.count(found.timeouts(), TIMEOUTS);
    }
  },
  /** The same pattern in Flink CEP. */
  CEP_LIBRARY("Flink CEP") {
    @Override
    void build(Workload workload, String rules, DataStream<Row> events) {
      SingleOutputStreamOperator<Long> matches =
          CEP.pattern(keyed(workload, events), workload.pattern())
              .process(workload == Workload.W1 ? new FoundOrNot() : new Found());
      Meter.count(matches, MATCHES);
      Meter.count(matches.getSideOutput(TIMED_OUT), TIMEOUTS);
    }
  },
  /** W1's matches as a join of orders with payments. */
  JOIN("interval join") {
    @Override
    void build(Workload workload, String rules, DataStream<Row> events) {
      if (workload != Workload.W1) {
        throw new IllegalArgumentException("only W1 is a join");
      }
      SingleOutputStreamOperator<Long> matches =
          keyed(workload, ofType(events, "order_created"))
              .intervalJoin(keyed(workload, ofType(events, "order_paid")))
              .between(Duration.ZERO, Duration.ofMinutes(10))
              .upperBoundExclusive()
              .process(new Paid());
      Meter.count(matches, MATCHES);
    }
  },
  /** Packs events as Kleene does, and drops them. */
  PACK("packing only") {
    @Override
    void build(Workload workload, String rules, DataStream<Row> events) {
      Meter.count(PackOnly.applyTo(events, rules), MATCHES);
    }
  },
  /** Sends events to the operator's task, which drops them. */
  DROP("network only") {
    @Override
    void build(Workload workload, String rules, DataStream<Row> events) {
      SingleOutputStreamOperator<Long> none =
          keyed(workload, events)
              .process(
                  new ProcessFunction<Row, Long>() {
                    private static final long serialVersionUID = 1L;

                    @Override
                    public void processElement(Row event, Context ctx, Collector<Long> out) {}
                  });
      Meter.count(none, MATCHES);
    }
  };

  static final String MATCHES = "matches";
  static final String TIMEOUTS = "timeouts";
  private static final OutputTag<Long> TIMED_OUT = new OutputTag<>("timeouts", Types.LONG);

  final String title;

  Jobs(String title) {
    this.title = title;
  }

  /** Puts the operators between source and sinks into a job. */
  abstract void build(Workload workload, String rules, DataStream<Row> events);

  /** Runs a job over events, and returns what it took. */
  @SuppressWarnings("deprecation") // The simplest source is an old one.
  Meter.Measure run(Workload workload, String rules, Row[] rows, long watermarkMillis)
      throws Exception {
    StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
    env.setParallelism(1);
    env.getConfig().setAutoWatermarkInterval(watermarkMillis);
    env.getConfig().disableObjectReuse();
    DataStream<Row> events =
        env.addSource(new Meter.Source(), workload.file, workload.rowType())
            .assignTimestampsAndWatermarks(
                WatermarkStrategy.<Row>forMonotonousTimestamps()
                    .withTimestampAssigner((row, known) -> (long) row.getField(Workload.TIME)));
    Meter.reset(rows);
    build(workload, rules, events);
    env.execute(workload + " " + title);
    return Meter.measure();
  }

  @SuppressWarnings({"unchecked", "rawtypes"})
  private static KeyedStream<Row, Object> keyed(Workload workload, DataStream<Row> events) {
    int position = workload.keyPosition();
    KeySelector<Row, Object> key = row -> row.getField(position);
    return events.keyBy(key, (TypeInformation) workload.keyType());
  }

  private static DataStream<Row> ofType(DataStream<Row> events, String type) {
    return events.filter(event -> type.equals(event.getField(Workload.TYPE)));
  }

  private static final class Paid extends ProcessJoinFunction<Row, Row, Long> {
    private static final long serialVersionUID = 1L;

    @Override
    public void processElement(Row order, Row paid, Context context, Collector<Long> out) {
      out.collect((long) order.getField(Workload.TIME));
    }
  }

  /** Gives the time at which a match starts. */
  private static class Found extends PatternProcessFunction<Row, Long> {
    private static final long serialVersionUID = 1L;

    @Override
    public void processMatch(Map<String, List<Row>> match, Context context, Collector<Long> out) {
      out.collect(start(match));
    }

    static long start(Map<String, List<Row>> match) {
      return (long) match.values().iterator().next().get(0).getField(Workload.TIME);
    }
  }

  private static final class FoundOrNot extends Found
      implements TimedOutPartialMatchHandler<Row> {
    private static final long serialVersionUID = 1L;

    @Override
    public void processTimedOutMatch(Map<String, List<Row>> match, Context context) {
      context.output(TIMED_OUT, start(match));
    }
  }
}
