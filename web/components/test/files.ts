/** The rule files of the repository. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The folder of the repository. */
export const ROOT: string = join(import.meta.dirname, "../../..");

/** The texts of `testdata/language.cep`, of the suite and of all ready-made rules, by path. */
export function ruleFiles(): Map<string, string> {
  const paths = ["testdata/language.cep"];
  for (const folder of ["patterns", "testdata/suite"]) {
    for (const name of readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })) {
      if (name.endsWith(".cep")) paths.push(join(folder, name));
    }
  }
  return new Map(paths.map((path) => [path, readFileSync(join(ROOT, path), "utf8")]));
}
