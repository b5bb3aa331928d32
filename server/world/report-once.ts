/** What the engine's listeners throw, told once each: a broken one throws at every step. */
import type { EngineListener } from "../../engine/events.ts";

/** Messages of one listener that are told; they may hold ids and never be alike. */
const MESSAGES = 16;

/** For `EngineParts.onListenerError`; never throws. */
export function reportOnce(
  report: (error: Error) => void = (error) => process.emitWarning(error),
): (thrown: unknown, listener: EngineListener) => void {
  const told = new WeakMap<EngineListener, Set<string>>();
  return (thrown, listener) => {
    const error = asError(thrown);
    const messages = told.get(listener) ?? new Set();
    told.set(listener, messages);
    if (messages.has(error.message) || messages.size >= MESSAGES) return;
    messages.add(error.message);
    try {
      report(error);
    } catch {
      // A log that cannot be written is no reason to stop the engine.
    }
  };
}

/** Whatever was thrown, even what has no text. */
function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  try {
    return new Error(String(thrown));
  } catch {
    return new Error("A listener threw what has no text.");
  }
}
