package io.kleene.flink;

import java.io.Serializable;

/**
 * How a file is read.
 *
 * @param file the file, JSON lines or CSV with a header
 * @param plan the event types that are declared
 * @param type the event type of all events; null if a field has it
 * @param typeField the field with the event type
 * @param timeField the field with the time of types that declare none
 * @param outOfOrder how many milliseconds events may be late
 * @param watermarkEvery the number of events from one watermark to the next; earlier if an event is
 *     late
 */
record FileSettings(
    String file,
    RulePlan plan,
    String type,
    String typeField,
    String timeField,
    long outOfOrder,
    int watermarkEvery)
    implements Serializable {}
