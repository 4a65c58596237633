package io.kleene.flink;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.connector.datagen.source.GeneratorFunction;

/**
 * Reads the records of a file in order, each with the watermark that follows it.
 *
 * <p>A watermark depends on the records before it alone, so that a job that continues in the middle of
 * the file has the same late events. It reads the file from its start for this.
 */
final class FileEvents implements GeneratorFunction<Long, FileEvent> {
  private static final long serialVersionUID = 1L;

  private final FileSettings settings;
  private transient InputRecords records;
  private transient FileParser parser;
  private transient FileEvent ahead;
  private transient long next;
  private transient long newest;
  private transient long watermark;
  private transient int sinceWatermark;

  FileEvents(FileSettings settings) {
    this.settings = settings;
  }

  /** Returns a source of all records, for one task. */
  static DataGeneratorSource<FileEvent> source(FileSettings settings) {
    FileEvents events = new FileEvents(settings);
    try {
      events.start();
      long count = events.ahead == null ? 0 : 1 + events.records.count();
      events.close();
      return new DataGeneratorSource<>(events, count, TypeInformation.of(FileEvent.class));
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  /** Returns the times and the watermarks that the records have. */
  static WatermarkStrategy<FileEvent> watermarks() {
    return WatermarkStrategy.<FileEvent>forGenerator(context -> new Marks())
        .withTimestampAssigner((event, known) -> event.time);
  }

  private static final class Marks implements WatermarkGenerator<FileEvent> {
    @Override
    public void onEvent(FileEvent event, long time, WatermarkOutput output) {
      if (event.watermark != FileEvent.NONE) {
        output.emitWatermark(new Watermark(event.watermark));
      }
    }

    @Override
    public void onPeriodicEmit(WatermarkOutput output) {}
  }

  @Override
  public void open(SourceReaderContext context) {}

  @Override
  public FileEvent map(Long index) throws IOException {
    if (records == null || index < next) {
      start();
    }
    while (next < index) {
      advance();
    }
    return advance();
  }

  private void start() throws IOException {
    close();
    Path file = Path.of(settings.file());
    records = new InputRecords(file);
    InputRecords.Line header = InputRecords.isCsv(file) ? records.next() : null;
    parser = new FileParser(settings, header == null ? null : header.text());
    next = 0;
    newest = Long.MIN_VALUE;
    watermark = Long.MIN_VALUE;
    sinceWatermark = 0;
    ahead = read();
  }

  private FileEvent read() throws IOException {
    InputRecords.Line line = records.next();
    return line == null ? null : parser.parse(line);
  }

  /** Returns the next record. The one after it says whether a watermark has to come between them. */
  private FileEvent advance() throws IOException {
    FileEvent event = ahead;
    ahead = read();
    next++;
    if (event.isEvent()) {
      event.isLate = newest != Long.MIN_VALUE && event.time < newest - settings.outOfOrder();
      newest = Math.max(newest, event.time);
      sinceWatermark++;
    }
    if (newest == Long.MIN_VALUE) {
      return event;
    }
    long due = newest - 1 - settings.outOfOrder();
    boolean isNextLate = ahead != null && ahead.isEvent() && ahead.time <= due;
    if (due > watermark && (isNextLate || sinceWatermark >= settings.watermarkEvery())) {
      watermark = due;
      sinceWatermark = 0;
      event.watermark = due;
    }
    return event;
  }

  @Override
  public void close() throws IOException {
    if (records != null) {
      records.close();
      records = null;
    }
  }
}
