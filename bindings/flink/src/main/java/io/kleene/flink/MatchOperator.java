package io.kleene.flink;

import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Runs rules that do not change.
 *
 * @param <T> the Java type of events
 */
final class MatchOperator<T> extends AbstractMatchOperator<T>
    implements OneInputStreamOperator<T, KleeneResult> {
  private static final long serialVersionUID = 1L;

  MatchOperator(OperatorSettings<T> settings) {
    super(settings);
  }

  @Override
  public void processElement(StreamRecord<T> record) throws Exception {
    processEvent(record);
  }

  @Override
  public void setKeyContextElement(StreamRecord<T> record) {}
}
