package io.kleene.flink;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.TaskManagerOptions;

/**
 * The bound on the memory of the native library: the off-heap memory that the configuration gives to
 * the tasks of a TaskManager. All engines of a process share it.
 */
final class NativeMemory {
  private static final String SETTING = TaskManagerOptions.TASK_OFF_HEAP_MEMORY.key();

  private final long capacity;
  private long denied;

  NativeMemory(Configuration taskManager) {
    MemorySize size = taskManager.get(TaskManagerOptions.TASK_OFF_HEAP_MEMORY);
    this.capacity = size.getBytes();
    if (capacity == 0) {
      throw new KleeneException(
          "Kleene keeps its state outside of the Java heap, and "
              + SETTING
              + " is 0: set it in the configuration of the TaskManagers, for example to 512m");
    }
  }

  /** Fails if the library holds more than the bound. */
  void check() {
    long used = NativeEngine.usedBytes();
    if (used > capacity) {
      denied++;
      throw new KleeneException(
          "the state of Kleene takes "
              + used
              + " bytes in this process, and "
              + SETTING
              + " allows "
              + capacity
              + ": raise it, raise the parallelism, or bound the rules (within, limit)");
    }
  }

  long capacity() {
    return capacity;
  }

  long denied() {
    return denied;
  }

  static KleeneException refused(String what, OutOfMemoryError error) {
    return new KleeneException(
        "no direct memory is left for " + what + ": raise " + SETTING + " of the TaskManagers",
        error);
  }
}
