package io.kleene.flink;

import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.types.Row;

/**
 * Packs events into the batches of Kleene, and drops them: what a job with Kleene costs without the
 * engine. The benchmark compares with it.
 */
public final class PackOnly extends AbstractStreamOperator<Row>
    implements OneInputStreamOperator<Row, Row> {
  private static final long serialVersionUID = 1L;

  private final EventReader<Row> reader;
  private final RulePlan plan;
  private transient BatchWriter<Row> batch;

  private PackOnly(EventReader<Row> reader, RulePlan plan) {
    this.reader = reader;
    this.plan = plan;
  }

  /** Puts the same operators in front as {@link Kleene#applyTo}. */
  public static DataStream<Row> applyTo(DataStream<Row> events, String rules) {
    RulePlan plan =
        NativeEngine.load(RuleTexts.ofText(rules, java.util.Map.of()), false).plan();
    RulePlan.Group group = plan.groups().get(0);
    RowFields fields = new RowFields((RowTypeInfo) events.getType());
    EventReader<Row> reader = new EventReader<>(fields, null, "type", "ts");
    return events
        .filter(new ReadTypes<>(reader, plan, group, true))
        .keyBy(new KeyHash<>(reader, plan, group.parts()), Types.INT)
        .transform("pack", events.getType(), new PackOnly(reader, plan));
  }

  @Override
  public void open() throws Exception {
    super.open();
    batch = new BatchWriter<>(reader, plan, plan.groups().get(0), 4096);
  }

  @Override
  public void setKeyContextElement(StreamRecord<Row> record) {}

  @Override
  @SuppressWarnings("rawtypes")
  public void setKeyContextElement1(StreamRecord record) {}

  @Override
  public void processElement(StreamRecord<Row> record) {
    if (batch.add(record.getValue(), record.getTimestamp()) != BatchWriter.Added.YES) {
      throw new KleeneException("the benchmark has an event that no rule reads: " + record);
    }
    if (batch.isFull()) {
      batch.clear();
    }
  }

  @Override
  public void processWatermark(Watermark mark) throws Exception {
    batch.clear();
    super.processWatermark(mark);
  }
}
