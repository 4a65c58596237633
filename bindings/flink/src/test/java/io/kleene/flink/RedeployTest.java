package io.kleene.flink;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import org.apache.flink.client.program.PackagedProgram;
import org.apache.flink.client.program.PackagedProgramUtils;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * A session cluster that is given the same jar again and again: each time new class loaders load
 * the native library, once for the program and once for its tasks. Memory stays what it was.
 */
@EnabledOnOs(OS.LINUX)
class RedeployTest {
  private static final int DEPLOYMENTS = 50;

  @TempDir private Path folder;

  /**
   * What the process holds: class metadata, resident memory outside of Java's heap, and mapped
   * copies of the library. The heap may grow once, at any time, up to its limit. The tests run with
   * {@code AlwaysPreTouch}, so all of the heap is resident.
   */
  private record Held(long metaspace, long outsideOfHeap, int copies) {
    static Held now() throws Exception {
      int copies = mappedCopies();
      for (int round = 0; round < 10; round++) {
        System.gc();
        Thread.sleep(100);
        int left = mappedCopies();
        if (round > 2 && left == copies) {
          break;
        }
        copies = left;
      }
      long heap = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getCommitted();
      return new Held(metaspaceUsed(), (residentKilobytes() << 10) - heap, copies);
    }

    private static long metaspaceUsed() {
      return ManagementFactory.getMemoryPoolMXBeans().stream()
          .filter(pool -> pool.getName().equals("Metaspace"))
          .map(MemoryPoolMXBean::getUsage)
          .mapToLong(usage -> usage.getUsed())
          .sum();
    }

    private static long residentKilobytes() throws IOException {
      for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
        if (line.startsWith("VmRSS:")) {
          return Long.parseLong(line.replaceAll("\\D", ""));
        }
      }
      throw new AssertionError("the system does not say what is resident");
    }

    private static int mappedCopies() throws IOException {
      TreeSet<String> files = new TreeSet<>();
      for (String line : Files.readAllLines(Path.of("/proc/self/maps"))) {
        int at = line.indexOf("/kleene-");
        if (at >= 0) {
          files.add(line.substring(at));
        }
      }
      return files.size();
    }
  }

  @Test
  @Timeout(120)
  void memoryStaysFlat() throws Exception {
    Path jar = jar();
    List<Held> held = new ArrayList<>();
    int mostCopies = 0;
    try (TestCluster cluster = new TestCluster()) {
      for (int deployment = 1; deployment <= DEPLOYMENTS; deployment++) {
        deploy(cluster, jar);
        mostCopies = Math.max(mostCopies, Held.mappedCopies());
        if (deployment % 10 == 0) {
          held.add(Held.now());
          Held last = held.get(held.size() - 1);
          System.out.println(deployment + ": " + last + ", most copies " + mostCopies);
        }
      }
    }
    assertTrue(mostCopies > 2, "no class loader of a job has loaded the library");
    Held first = held.get(0);
    Held last = held.get(held.size() - 1);
    assertTrue(last.copies() <= first.copies() && last.copies() <= 3, held.toString());
    assertTrue(last.metaspace() - first.metaspace() < 2 << 20, held.toString());
    assertTrue(last.outsideOfHeap() - first.outsideOfHeap() < 64 << 20, held.toString());
  }

  /** Runs the program of the jar as {@code flink run} does, with class loaders of its own. */
  private static void deploy(TestCluster cluster, Path jar) throws Exception {
    try (PackagedProgram program =
        PackagedProgram.newBuilder()
            .setJarFile(jar.toFile())
            .setEntryPointClassName("io.kleene.flink.RedeployedJob")
            .build()) {
      JobGraph graph =
          PackagedProgramUtils.createJobGraph(program, new Configuration(), 2, true);
      cluster.finish(cluster.start(graph));
    }
  }

  /** Packs the classes, the native library, and the program. */
  private Path jar() throws IOException {
    Path jar = folder.resolve("job.jar");
    try (OutputStream file = Files.newOutputStream(jar);
        JarOutputStream out = new JarOutputStream(file)) {
      out.setLevel(1);
      pack(out, Path.of("target/classes"), "");
      pack(out, Path.of("target/test-classes"), "io/kleene/flink/RedeployedJob");
      pack(out, Path.of("target/test-classes"), "io/kleene/flink/Cluster");
    }
    return jar;
  }

  private static void pack(JarOutputStream out, Path folder, String prefix) throws IOException {
    List<Path> files;
    try (Stream<Path> all = Files.walk(folder)) {
      files = all.filter(Files::isRegularFile).toList();
    }
    for (Path file : files) {
      String name = folder.relativize(file).toString();
      if (name.startsWith(prefix)) {
        out.putNextEntry(new JarEntry(name));
        Files.copy(file, out);
        out.closeEntry();
      }
    }
  }
}
