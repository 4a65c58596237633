package io.kleene.flink;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.functions.TableSemantics;
import org.apache.flink.table.types.inference.CallContext;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeFamily;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.types.Row;

/** A call of {@link KleeneTableFunction}: its rules, checked against the table. */
record TableCall(
    RuleTexts rules, RulePlan plan, RulePlan.Group group, EventReader<Row> reader)
    implements Serializable {
  private static final int TABLE = 0;
  private static final int RULES = 1;
  private static final int EVENT_TYPE = 2;
  private static final int TYPE_FIELD = 3;

  /** The kinds of keys whose values are equal exactly if SQL says so. */
  private static final Set<RulePlan.Kind> EXACT =
      EnumSet.of(
          RulePlan.Kind.STRING, RulePlan.Kind.INT, RulePlan.Kind.BOOL, RulePlan.Kind.ANY);

  /** Checks a call. The planner shows the message of the exception. */
  static TableCall of(CallContext call) {
    try {
      return checked(call);
    } catch (KleeneException error) {
      throw new ValidationException(error.getMessage(), error);
    }
  }

  private static TableCall checked(CallContext call) {
    String text =
        literal(call, RULES)
            .orElseThrow(
                () -> new KleeneException("`rules` is a text as it stands: rules => 'rule ..'"));
    NativeEngine.Loaded rules = NativeEngine.load(RuleTexts.ofText(text, Map.of()), true);
    RulePlan plan = rules.plan();
    TableSemantics table =
        call.getTableSemantics(TABLE)
            .orElseThrow(() -> new KleeneException("`input` is a table: input => TABLE t"));
    RowType row = (RowType) table.dataType().getLogicalType();
    RulePlan.Group group = group(plan);
    EventReader<Row> reader = reader(call, plan, row, table.timeColumn());
    MissingColumns.check(reader, plan);
    for (int column : table.partitionByColumns()) {
      checkPartition(plan, group, row.getFieldNames().get(column), row.getTypeAt(column));
    }
    return new TableCall(rules.texts(), plan, group, reader);
  }

  private static Optional<String> literal(CallContext call, int argument) {
    return call.isArgumentLiteral(argument) && !call.isArgumentNull(argument)
        ? call.getArgumentValue(argument, String.class)
        : Optional.empty();
  }

  private static EventReader<Row> reader(
      CallContext call, RulePlan plan, RowType row, int timeColumn) {
    RowFields fields = new RowFields(InternalTypes.named(row));
    String typeField = literal(call, TYPE_FIELD).orElse("type");
    String fixed = literal(call, EVENT_TYPE).orElse(null);
    if (fixed == null && fields.getter(typeField) == null) {
      if (plan.types().size() != 1) {
        throw new KleeneException(
            "the table has no column `"
                + typeField
                + "` with the event type of a row: name another (type_field => '..'), or the event"
                + " type of all rows (event_type => '..')");
      }
      fixed = plan.types().get(0).name();
    }
    if (fixed != null && plan.type(fixed) == null) {
      throw new KleeneException("the rules declare no event type `" + fixed + "`");
    }
    String timeField = timeColumn < 0 ? "ts" : row.getFieldNames().get(timeColumn);
    return new EventReader<>(fields, fixed, typeField, timeField);
  }

  /** Returns the only group of rules. */
  private static RulePlan.Group group(RulePlan plan) {
    plan.undivided()
        .forEach(
            (rule, reason) -> {
              throw new KleeneException(
                  "rule `"
                      + rule
                      + "` cannot run for one key at a time, as "
                      + reason
                      + ": use KleeneTables.matches(..) in Java for it");
            });
    if (plan.groups().isEmpty()) {
      throw new KleeneException("there are no rules: the text has no `rule` block");
    }
    if (plan.groups().size() > 1) {
      List<String> keys = new ArrayList<>();
      plan.groups()
          .forEach(group -> keys.add("(" + group.signature() + ") of " + group.rules().get(0)));
      throw new KleeneException(
          "rows are partitioned once, and the rules have several keys: "
              + String.join(", ", keys)
              + ": call the function once for each key, with the rules that have it");
    }
    return plan.groups().get(0);
  }

  /** All rows of one key of the rules must be in one partition. */
  private static void checkPartition(
      RulePlan plan, RulePlan.Group group, String column, LogicalType type) {
    String rule = group.rules().get(0);
    for (int number : group.types()) {
      RulePlan.EventType read = plan.types().get(number);
      if (group.parts().stream().noneMatch(part -> part.path(read.name()).equals(column))) {
        throw new KleeneException(
            "rule `"
                + rule
                + "` has the key ("
                + group.signature()
                + "), and the table is partitioned by `"
                + column
                + "`: events of one key would be apart. PARTITION BY takes columns of the key");
      }
      RulePlan.Field field = read.field(column);
      boolean isExact =
          (type.is(LogicalTypeFamily.CHARACTER_STRING)
                  || type.is(LogicalTypeFamily.INTEGER_NUMERIC)
                  || type.is(LogicalTypeRoot.BOOLEAN))
              && (field == null || EXACT.contains(field.kind()) && field.lists() == 0);
      if (!isExact) {
        throw new KleeneException(
            "column `"
                + column
                + "` is of the type "
                + type
                + (field == null ? "" : ", and rules declare it as " + field.spelling())
                + ": values that are equal for rules may differ for PARTITION BY. Partition by a"
                + " text, an integer or a boolean, and declare it as string, int or bool");
      }
    }
  }
}
