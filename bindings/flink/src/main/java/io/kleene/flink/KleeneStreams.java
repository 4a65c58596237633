package io.kleene.flink;

import java.util.List;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.types.Row;
import org.apache.flink.util.OutputTag;

/**
 * What rules have found in a stream, each kind as a stream of its own. Results of different keys come
 * in no order; those of one key come in the order of time. The timestamp of a record is the time of
 * the result.
 *
 * @param <T> the Java type of events
 */
public final class KleeneStreams<T> {
  private final List<SingleOutputStreamOperator<KleeneResult>> operators;
  private final OperatorSettings.Tags<T> tags;

  KleeneStreams(
      List<SingleOutputStreamOperator<KleeneResult>> operators, OperatorSettings.Tags<T> tags) {
    this.operators = operators;
    this.tags = tags;
  }

  /** Returns the matches. */
  public DataStream<KleeneResult> matches() {
    DataStream<KleeneResult> all = operators.get(0);
    for (DataStream<KleeneResult> more : operators.subList(1, operators.size())) {
      all = all.union(more);
    }
    return all;
  }

  /** Returns the timeouts of rules with {@code on timeout}. */
  public DataStream<KleeneResult> timeouts() {
    return side(tags.timeouts());
  }

  /** Returns the limits that rules have reached: later results of these keys may be missing. */
  public DataStream<KleeneResult> limits() {
    return side(tags.limits());
  }

  /** Returns matches, timeouts and limits. */
  public DataStream<KleeneResult> results() {
    return matches().union(timeouts(), limits());
  }

  /** Returns matches and timeouts as rows of {@link KleeneResult#ROW_TYPE}. */
  public DataStream<Row> rows() {
    return matches()
        .union(timeouts())
        .map(KleeneResult::toRow)
        .returns(KleeneResult.ROW_TYPE)
        .name("kleene: rows");
  }

  /** Returns events at or before the watermark: no rule has seen them. */
  public DataStream<T> late() {
    return side(tags.late());
  }

  /** Returns events that do not fit their declaration, each with the reason. */
  public DataStream<RejectedEvent<T>> rejected() {
    return side(tags.rejected());
  }

  /** Returns what became of rules that were replaced, or that were edited before a restart. */
  public DataStream<RuleVerdict> verdicts() {
    return side(tags.verdicts());
  }

  private <R> DataStream<R> side(OutputTag<R> tag) {
    DataStream<R> all = operators.get(0).getSideOutput(tag);
    for (SingleOutputStreamOperator<KleeneResult> more : operators.subList(1, operators.size())) {
      all = all.union(more.getSideOutput(tag));
    }
    return all;
  }
}
