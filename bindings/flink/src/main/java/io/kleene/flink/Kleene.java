package io.kleene.flink;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.typeutils.PojoTypeInfo;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.KeyedStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.operators.SimpleOperatorFactory;
import org.apache.flink.streaming.api.transformations.TwoInputTransformation;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.DataTypeQueryable;
import org.apache.flink.types.Row;
import org.apache.flink.util.OutputTag;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds patterns of events in streams of Apache Flink by rules of Kleene.
 *
 * <pre>{@code
 * KleeneStreams<Row> alerts =
 *     Kleene.rules(Path.of("unpaid.cep")).outOfOrder(Duration.ofSeconds(5)).applyTo(events);
 * alerts.matches().map(found -> found.getRule() + " " + found.getEmit()).print();
 * }</pre>
 *
 * <p>Events are rows with named fields, POJOs, maps, or {@link RowData}. The field {@code type} has
 * their event type. Rules are checked when they are given: {@link RulesException} has all mistakes.
 *
 * <p>For each key of the rules one operator is made: the events that its rules read are distributed
 * by this key, and the results of all operators are united. Rules whose keys cannot be divided run in
 * one task.
 */
public final class Kleene {
  private static final Logger LOG = LoggerFactory.getLogger(Kleene.class);

  private final Source source;
  private final Map<String, String> parameters = new LinkedHashMap<>();
  private final List<String> moreKeys = new ArrayList<>();
  private Duration outOfOrder;
  private String typeField = "type";
  private String eventType;
  private String timeField = "ts";
  private DataStream<String> liveRules;
  private boolean withEvents = true;
  private boolean withJson;
  private int batchRows = 4096;
  private String uid = "kleene";

  private Kleene(Source source) {
    this.source = source;
  }

  private interface Source {
    RuleTexts texts(Map<String, String> parameters);
  }

  /** Takes rules from a text. */
  public static Kleene rules(String text) {
    return new Kleene(parameters -> RuleTexts.ofText(text, parameters));
  }

  /**
   * Takes rules from a file, or from all {@code .cep} files of a folder. The files are read here, and
   * sent to the tasks with the job.
   */
  public static Kleene rules(Path path) {
    return new Kleene(parameters -> RuleTexts.ofPath(path, parameters));
  }

  /**
   * Takes the time of events from their time field, and expects events that are older than the newest
   * one by at most a bound. Without this call, the timestamps and watermarks of the stream count.
   */
  public Kleene outOfOrder(Duration bound) {
    this.outOfOrder = bound;
    return this;
  }

  /** Names the field with the event type of an event; {@code type} by default. */
  public Kleene typeField(String name) {
    this.typeField = name;
    return this;
  }

  /** Says that all events have one event type, so that no field has to have it. */
  public Kleene eventType(String name) {
    this.eventType = name;
    return this;
  }

  /**
   * Names the field with the time of events whose type declares no time field; {@code ts} by default.
   */
  public Kleene timeField(String name) {
    this.timeField = name;
    return this;
  }

  /** Sets the value of a parameter of the rules. */
  public Kleene parameter(String name, String value) {
    parameters.put(name, value);
    return this;
  }

  /**
   * Replaces the rules by each text of a stream, between two events, in all tasks. Partial matches
   * continue where the new rules allow it; {@link KleeneStreams#verdicts} says so for each rule. A
   * text with mistakes changes nothing, and its verdict has the diagnostics.
   *
   * <p>All events then go to all operators, as new rules may read other types.
   */
  public Kleene liveRules(DataStream<String> texts) {
    this.liveRules = texts;
    return this;
  }

  /**
   * Makes an operator for another key, so that rules that come later ({@link #liveRules}) can have
   * it: names of fields, with a comma between them. An empty text is for rules without a key.
   */
  public Kleene alsoKey(String fields) {
    moreKeys.add(fields.replace(" ", ""));
    return this;
  }

  /** Leaves the captured events out of results. */
  public Kleene withoutEvents() {
    this.withEvents = false;
    return this;
  }

  /** Adds to each result the line of JSON that {@code kleene run} writes for it. */
  public Kleene withJson() {
    this.withJson = true;
    return this;
  }

  /** Sets how many events are packed before they go to the engine; 4096 by default. */
  public Kleene batchRows(int rows) {
    if (rows < 1 || rows > 1 << 20) {
      throw new KleeneException("a batch has 1 to 1048576 rows, not " + rows);
    }
    this.batchRows = rows;
    return this;
  }

  /**
   * Names the operators, so that a savepoint finds their state: {@code kleene} by default. Two calls of
   * {@link #applyTo} in one job need two names. If an edited rule set has no rule with some key any
   * more, the state of its operator has no place: start the job with {@code allowNonRestoredState}.
   */
  public Kleene uid(String uid) {
    this.uid = uid;
    return this;
  }

  /** Finds the patterns of the rules in a stream. */
  public <T> KleeneStreams<T> applyTo(DataStream<T> events) {
    return applyTo(events, false);
  }

  /** Finds the patterns of the rules in a table, which has a column for each field that must be. */
  KleeneStreams<RowData> applyToColumns(DataStream<RowData> events) {
    return applyTo(events, true);
  }

  /** Returns true if times come from fields, and not from the stream. */
  boolean takesTimesFromFields() {
    return outOfOrder != null;
  }

  private <T> KleeneStreams<T> applyTo(DataStream<T> events, boolean isTable) {
    NativeEngine.Loaded rules = NativeEngine.load(source.texts(parameters), true);
    RulePlan plan = rules.plan();
    if (!rules.warnings().isEmpty()) {
      LOG.warn("{}", rules.warnings());
    }
    plan.undivided()
        .forEach((rule, reason) -> LOG.warn("rule {} runs in one task: {}", rule, reason));
    EventReader<T> reader = reader(events.getType(), plan);
    if (isTable) {
      MissingColumns.check(reader, plan);
    }
    DataStream<T> timed = outOfOrder == null ? events : timed(events, reader, plan);
    return new Topology<>(rules.texts(), plan, reader, timed).build();
  }

  private <T> EventReader<T> reader(TypeInformation<T> type, RulePlan plan) {
    EventFields<T> fields = fields(type);
    String fixed = eventType;
    if (fixed == null && fields.getter(typeField) == null && plan.types().size() == 1) {
      fixed = plan.types().get(0).name();
    }
    if (fixed != null && plan.type(fixed) == null && liveRules == null) {
      throw new KleeneException("the rules declare no event type `" + fixed + "`");
    }
    EventReader<T> reader = new EventReader<>(fields, fixed, typeField, timeField);
    reader.typeGetter();
    return reader;
  }

  @SuppressWarnings({"unchecked", "rawtypes"})
  private static <T> EventFields<T> fields(TypeInformation<T> type) {
    if (type instanceof RowTypeInfo row) {
      return (EventFields) new RowFields(row);
    }
    if (type instanceof PojoTypeInfo<T> pojo) {
      return new PojoFields<>(pojo);
    }
    if (Row.class.equals(type.getTypeClass())) {
      boolean isOfTable = type instanceof DataTypeQueryable;
      return (EventFields) (isOfTable ? InternalTypes.rowFields(type) : new RowFields(null));
    }
    if (RowData.class.isAssignableFrom(type.getTypeClass())) {
      return (EventFields) new RowDataFields(InternalTypes.rowType(type));
    }
    if (Map.class.isAssignableFrom(type.getTypeClass())) {
      return (EventFields) new MapFields();
    }
    throw new KleeneException(
        "events are of the type "
            + type
            + ": map them to rows with named fields (Types.ROW_NAMED), to a POJO, or to a map");
  }

  /**
   * Takes times from a field, and watermarks from times. The parallelism is that of the events: what
   * comes from one task stays in its order.
   */
  private <T> DataStream<T> timed(DataStream<T> events, EventReader<T> reader, RulePlan plan) {
    EventTimes<T> times = new EventTimes<>(reader, plan);
    return events
        .assignTimestampsAndWatermarks(
            WatermarkStrategy.<T>forBoundedOutOfOrderness(outOfOrder)
                .withTimestampAssigner(context -> times))
        .setParallelism(events.getParallelism())
        .name("kleene: event time")
        .uid(uid + "@time");
  }

  /** Puts the operators together. */
  private final class Topology<T> {
    private final RuleTexts rules;
    private final RulePlan plan;
    private final EventReader<T> reader;
    private final DataStream<T> events;
    private final OperatorSettings.Tags<T> tags;
    private final Set<String> signatures = new HashSet<>();

    Topology(RuleTexts rules, RulePlan plan, EventReader<T> reader, DataStream<T> events) {
      this.rules = rules;
      this.plan = plan;
      this.reader = reader;
      this.events = events;
      this.tags =
          new OperatorSettings.Tags<>(
              new OutputTag<>("kleene-timeouts", KleeneResultTypeInfo.INSTANCE),
              new OutputTag<>("kleene-limits", KleeneResultTypeInfo.INSTANCE),
              new OutputTag<>("kleene-late", events.getType()),
              new OutputTag<>("kleene-rejected", RejectedEvent.type(events.getType())),
              new OutputTag<>("kleene-verdicts", Types.POJO(RuleVerdict.class)));
    }

    KleeneStreams<T> build() {
      List<RulePlan.Group> groups = new ArrayList<>(plan.groups());
      for (String key : moreKeys) {
        if (plan.group(key) == null) {
          List<RulePlan.KeyPart> parts = new ArrayList<>();
          for (String part : key.isEmpty() ? new String[0] : key.split(",")) {
            parts.add(new RulePlan.KeyPart(part, new LinkedHashMap<>()));
          }
          groups.add(new RulePlan.Group(key, parts, List.of(), List.of()));
        }
      }
      if (groups.isEmpty()) {
        throw new KleeneException("there are no rules: the text has no `rule` block");
      }
      groups.forEach(group -> signatures.add(group.signature()));
      List<SingleOutputStreamOperator<KleeneResult>> operators = new ArrayList<>();
      for (RulePlan.Group group : groups) {
        operators.add(operator(group, operators.isEmpty()));
      }
      return new KleeneStreams<>(operators, tags);
    }

    private SingleOutputStreamOperator<KleeneResult> operator(
        RulePlan.Group group, boolean isFirst) {
      OperatorSettings<T> settings =
          new OperatorSettings<>(
              rules,
              plan,
              group,
              isFirst,
              signatures,
              new LinkedHashMap<>(parameters),
              reader,
              withEvents,
              withJson,
              batchRows,
              tags);
      DataStream<T> read = liveRules == null ? selected(group, isFirst) : events;
      KeyedStream<T, Integer> keyed =
          group.parts().isEmpty()
              ? read.keyBy(event -> AbstractMatchOperator.NO_KEY, Types.INT)
              : read.keyBy(new KeyHash<>(reader, plan, group.parts()), Types.INT);
      String key = group.parts().isEmpty() ? "" : group.signature();
      String name = key.isEmpty() ? "kleene" : "kleene: by " + key;
      SingleOutputStreamOperator<KleeneResult> results =
          liveRules == null
              ? keyed.transform(name, KleeneResultTypeInfo.INSTANCE, new MatchOperator<>(settings))
              : live(keyed, name, new LiveMatchOperator<>(settings));
      if (group.parts().isEmpty()) {
        results.setParallelism(1);
      }
      return results.name(name).uid(uid + ":" + key);
    }

    /**
     * Selects the events that a group reads, where they come from. Among more tasks, events of a key
     * would take several ways, and lose the order of those at one time.
     */
    private DataStream<T> selected(RulePlan.Group group, boolean isFirst) {
      return events
          .filter(new ReadTypes<>(reader, plan, group, isFirst))
          .setParallelism(events.getParallelism())
          .name("kleene: select")
          .uid(uid + "@select:" + group.signature());
    }

    private SingleOutputStreamOperator<KleeneResult> live(
        KeyedStream<T, Integer> keyed, String name, LiveMatchOperator<T> operator) {
      StreamExecutionEnvironment env = keyed.getExecutionEnvironment();
      TwoInputTransformation<T, String, KleeneResult> transformation =
          new TwoInputTransformation<>(
              keyed.getTransformation(),
              liveRules.broadcast().getTransformation(),
              name,
              SimpleOperatorFactory.of(operator),
              KleeneResultTypeInfo.INSTANCE,
              env.getParallelism(),
              false);
      transformation.setStateKeySelectors(keyed.getKeySelector(), null);
      transformation.setStateKeyType(Types.INT);
      env.addOperator(transformation);
      return new Operator(env, transformation);
    }
  }

  /** A stream of a transformation that Flink has no method for. */
  private static final class Operator extends SingleOutputStreamOperator<KleeneResult> {
    Operator(
        StreamExecutionEnvironment env,
        TwoInputTransformation<?, String, KleeneResult> transformation) {
      super(env, transformation);
    }
  }
}
