/** Answers that may come later, or not at all. */
import type { Later } from "../data.ts";

/**
 * The answer, or `otherwise` if it fails: a worker that was stopped must not make an editor unusable.
 * Who gives the services says what went wrong.
 */
export async function answerOr<T, U>(ask: () => Later<T>, otherwise: U): Promise<T | U> {
  try {
    return await ask();
  } catch {
    return otherwise;
  }
}
