package io.kleene.flink;

import java.util.Set;
import java.util.TreeSet;

/** Finds the columns that a table must have, so that its events are not all rejected. */
final class MissingColumns {
  private MissingColumns() {}

  /** Fails if a type that rules read declares a field for which there is no column. */
  static void check(EventReader<?> reader, RulePlan plan) {
    Set<Integer> read = new TreeSet<>();
    plan.groups().forEach(group -> read.addAll(group.types()));
    StringBuilder missing = new StringBuilder();
    for (int number : read) {
      RulePlan.EventType type = plan.types().get(number);
      if (reader.fixedType() != null && !reader.fixedType().equals(type.name())) {
        continue;
      }
      for (RulePlan.Field field : type.fields()) {
        boolean mayMiss = field.isOptional() || field.path().equals(type.timeField());
        if (!mayMiss && reader.fields().getter(field.path()) == null) {
          missing.append(missing.isEmpty() ? "`" : ", `");
          missing.append(field.path()).append("` of ").append(type.name());
        }
      }
    }
    if (!missing.isEmpty()) {
      throw new KleeneException(
          "the table has no column for fields that the rules declare: "
              + missing
              + ": select a column under this name (AS), or declare the field as optional (`?`"
              + " after its type)");
    }
  }
}
