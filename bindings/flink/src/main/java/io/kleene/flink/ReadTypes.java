package io.kleene.flink;

import java.util.HashSet;
import java.util.Set;
import org.apache.flink.api.common.functions.FilterFunction;

/**
 * Selects the events that the rules of a group read. The first group also gets events without a type,
 * so that they are rejected once.
 *
 * @param <T> the Java type of events
 */
final class ReadTypes<T> implements FilterFunction<T> {
  private static final long serialVersionUID = 1L;

  private final EventReader<T> reader;
  private final Set<String> types = new HashSet<>();
  private final boolean isFirst;
  private transient EventReader.TypeGetter<T> type;

  ReadTypes(EventReader<T> reader, RulePlan plan, RulePlan.Group group, boolean isFirst) {
    this.reader = reader;
    this.isFirst = isFirst;
    group.types().forEach(number -> types.add(plan.types().get(number).name()));
  }

  @Override
  public boolean filter(T event) {
    if (type == null) {
      type = reader.typeGetter();
    }
    String name = type.get(event);
    return name == null ? isFirst : types.contains(name);
  }
}
