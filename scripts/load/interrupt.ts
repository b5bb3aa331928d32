/** Ctrl-C ends a measurement early and keeps what it has; a second one ends the process. */
export async function untilInterrupted<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = (): void => {
    process.stderr.write("\nInterrupted: what was measured is kept; again ends at once.\n");
    controller.abort();
  };
  // Once only: the default of the second is to end the process.
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  try {
    return await work(controller.signal);
  } finally {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  }
}
