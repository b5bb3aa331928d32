/** A test that writes to the console fails: what is worth saying is worth asserting. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, vi } from "vitest";

const METHODS = ["log", "info", "warn", "error", "debug"] as const;

// What a simulated start keeps is not the user's.
process.env["XDG_CACHE_HOME"] = join(tmpdir(), "trainyard-test-cache");

beforeEach(() => {
  for (const method of METHODS) vi.spyOn(console, method);
});

afterEach(() => {
  for (const method of METHODS) {
    const calls = vi.mocked(console[method]).mock.calls;
    vi.mocked(console[method]).mockRestore();
    if (calls.length > 0) throw new Error(`console.${method}: ${String(calls[0]?.[0])}`);
  }
});
