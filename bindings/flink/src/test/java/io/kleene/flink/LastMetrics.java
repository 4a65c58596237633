package io.kleene.flink;

import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Metric;
import org.apache.flink.metrics.MetricConfig;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.reporter.MetricReporter;
import org.apache.flink.metrics.reporter.MetricReporterFactory;

/** Keeps the sums over all tasks of what the metrics of Kleene were when their tasks ended. */
public final class LastMetrics implements MetricReporter {
  private static final Map<String, Long> LAST = new ConcurrentHashMap<>();

  /** Makes reporters. */
  public static final class Factory implements MetricReporterFactory {
    @Override
    public MetricReporter createMetricReporter(Properties properties) {
      return new LastMetrics();
    }
  }

  /** Asks a cluster for this reporter. */
  static Configuration configure(Configuration cluster) {
    cluster.setString("metrics.reporter.last.factory.class", Factory.class.getName());
    return cluster;
  }

  /** Returns the sum of a metric since the last call of {@link #clear}. */
  static long get(String name) {
    return LAST.getOrDefault(name, 0L);
  }

  static void clear() {
    LAST.clear();
  }

  @Override
  public void open(MetricConfig config) {}

  @Override
  public void close() {}

  @Override
  public void notifyOfAddedMetric(Metric metric, String name, MetricGroup group) {}

  @Override
  public void notifyOfRemovedMetric(Metric metric, String name, MetricGroup group) {
    if (!group.getMetricIdentifier(name).contains(".kleene.")) {
      return;
    }
    if (metric instanceof Counter counter) {
      LAST.merge(name, counter.getCount(), Long::sum);
    } else if (metric instanceof Gauge<?> gauge && gauge.getValue() instanceof Long value) {
      LAST.merge(name, value, Long::sum);
    }
  }
}
