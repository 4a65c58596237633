package io.kleene.flink;

import java.util.Arrays;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;

/** A key of each key group, under which the state of the whole group is kept. */
final class KeyOfGroup {
  private static int[] keys = new int[0];

  private KeyOfGroup() {}

  /** Returns the least integer from 0 on that Flink assigns to a key group. */
  static synchronized int find(int group, int maxParallelism) {
    if (keys.length != maxParallelism) {
      keys = new int[maxParallelism];
      Arrays.fill(keys, -1);
      int found = 0;
      for (int key = 0; found < maxParallelism; key++) {
        int of = KeyGroupRangeAssignment.assignToKeyGroup(key, maxParallelism);
        if (keys[of] < 0) {
          keys[of] = key;
          found++;
        }
      }
    }
    return keys[group];
  }
}
