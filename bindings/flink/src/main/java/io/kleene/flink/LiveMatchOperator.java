package io.kleene.flink;

import org.apache.flink.streaming.api.operators.TwoInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;

/**
 * Runs rules that a second stream replaces. Time is that of the events alone: the stream of rules may
 * have no watermarks.
 *
 * @param <T> the Java type of events
 */
final class LiveMatchOperator<T> extends AbstractMatchOperator<T>
    implements TwoInputStreamOperator<T, String, KleeneResult> {
  private static final long serialVersionUID = 1L;

  LiveMatchOperator(OperatorSettings<T> settings) {
    super(settings);
  }

  @Override
  public void processElement1(StreamRecord<T> record) throws Exception {
    processEvent(record);
  }

  @Override
  public void processElement2(StreamRecord<String> record) {
    replaceRules(record.getValue());
  }

  @Override
  public void processWatermark1(Watermark mark) throws Exception {
    processWatermark(mark);
  }

  @Override
  public void processWatermark2(Watermark mark) {}

  @Override
  protected void processWatermarkStatus(WatermarkStatus status, int input) throws Exception {
    if (input == 0) {
      processWatermarkStatus(status);
    }
  }
}
