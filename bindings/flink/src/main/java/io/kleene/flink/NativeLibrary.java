package io.kleene.flink;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Locale;

/**
 * Loads the native library.
 *
 * <p>The library is a resource of the jar, under {@code native/OS-ARCHITECTURE/}. Each class loader
 * copies it to a file of its own, as the Java virtual machine loads a file only once. The file is
 * deleted as soon as it is loaded, where the system allows that. The system property {@code
 * kleene.library} names another file to load.
 */
final class NativeLibrary {
  /** The version of the jar, which the library has to have, too. */
  static final String STAMP = "0.1.0";

  private static String failure;
  private static boolean loaded;

  private NativeLibrary() {}

  /** Loads the library, unless that was done. */
  static synchronized void load() {
    if (loaded) {
      return;
    }
    if (failure != null) {
      throw new KleeneException(failure);
    }
    try {
      loadOnce();
      loaded = true;
    } catch (IOException | LinkageError error) {
      failure = "the native library of Kleene cannot be loaded: " + error.getMessage();
      throw new KleeneException(failure, error);
    } catch (KleeneException error) {
      failure = error.getMessage();
      throw error;
    }
  }

  private static void loadOnce() throws IOException {
    String named = System.getProperty("kleene.library");
    if (named != null) {
      System.load(Path.of(named).toAbsolutePath().toString());
    } else {
      loadResource(resource(System.getProperty("os.name"), System.getProperty("os.arch")));
    }
    String stamp = new String(NativeEngine.stamp(), StandardCharsets.UTF_8);
    if (!stamp.equals(STAMP)) {
      throw new KleeneException(mismatch(stamp));
    }
  }

  static String mismatch(String stamp) {
    return "the native library of Kleene has version "
        + stamp
        + ", and the jar has version "
        + STAMP
        + ": use the library that the jar contains";
  }

  /** Returns the place of the library in the jar for an operating system and an architecture. */
  static String resource(String osName, String osArch) {
    String os = osName.toLowerCase(Locale.ROOT);
    String arch = osArch.toLowerCase(Locale.ROOT);
    String cpu =
        switch (arch) {
          case "amd64", "x86_64", "x86-64" -> "x86_64";
          case "aarch64", "arm64" -> "aarch64";
          default -> arch;
        };
    if (os.contains("mac")) {
      return "native/macos-" + cpu + "/libkleene_jni.dylib";
    }
    if (os.contains("win")) {
      return "native/windows-" + cpu + "/kleene_jni.dll";
    }
    return "native/" + os.replace(' ', '_') + "-" + cpu + "/libkleene_jni.so";
  }

  static void loadResource(String resource) throws IOException {
    String name = resource.substring(resource.lastIndexOf('/') + 1);
    ClassLoader loader = NativeLibrary.class.getClassLoader();
    try (InputStream library = loader.getResourceAsStream(resource)) {
      if (library == null) {
        throw new KleeneException(missing(resource));
      }
      Path file = Files.createTempFile("kleene-", "-" + name);
      try {
        Files.copy(library, file, StandardCopyOption.REPLACE_EXISTING);
        System.load(file.toAbsolutePath().toString());
      } finally {
        // Linux keeps a loaded file; where the system does not, it is deleted at the end.
        try {
          Files.deleteIfExists(file);
        } catch (IOException inUse) {
          file.toFile().deleteOnExit();
        }
      }
    }
  }

  static String missing(String resource) {
    return "the jar has no native library for this platform ("
        + resource
        + "). Build it on this platform with `bindings/flink/build`, and add it to the jar, or name"
        + " its file with -Dkleene.library=FILE";
  }
}
