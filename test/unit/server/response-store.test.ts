/** Kept responses: how many, how large, and who goes first. */
import { describe, expect, it } from "vitest";
import type { ResponseObject, ResponseStatus } from "../../../server/openai/responses/describe.ts";
import { ResponseStore, StoredResponse } from "../../../server/openai/responses/store.ts";

function stored(id: string, status: ResponseStatus = "completed", text = ""): StoredResponse {
  const response: ResponseObject = { id, status, output: [{ id: `msg_${id}`, text }] };
  return new StoredResponse(response, [{ role: "user", content: text }], true);
}

describe("ResponseStore", () => {
  it("drops the oldest that has ended", () => {
    const store = new ResponseStore({ entries: 2, bytes: 1e6 });
    for (const id of ["a", "b", "c"]) store.keep(id, stored(id));
    expect([store.get("a"), store.size]).toEqual([undefined, 2]);
    expect(store.item("msg_b")).toMatchObject({ id: "msg_b" });
    expect(store.item("msg_a")).toBeUndefined();
  });

  it("counts bytes, and those that a running one gains", () => {
    const store = new ResponseStore({ entries: 100, bytes: 2_000 });
    store.keep("large", stored("large", "completed", "x".repeat(3_000)));
    expect(store.size).toBe(0);
    const running = stored("run", "queued");
    store.keep("old", stored("old"));
    store.admit("run", running);
    for (let i = 0; i < 30; i++) store.update(running, { event: { data: "y".repeat(100) } });
    // It is never dropped itself, but makes the others go.
    expect(store.get("old")).toBeUndefined();
    expect(store.get("run")).toBe(running);
    expect(store.bytes).toBe(running.bytes);
    store.update(running, { response: { ...running.response, status: "completed" } });
    expect([store.size, store.bytes]).toEqual([0, 0]);
  });

  it("takes no more than fit while all of them run", () => {
    const store = new ResponseStore({ entries: 2, bytes: 1e6 });
    store.admit("a", stored("a", "queued"));
    store.admit("b", stored("b", "queued"));
    expect(() => store.admit("c", stored("c", "queued"))).toThrow("Too many responses");
    expect(() => store.admit("a", stored("a", "queued"))).toThrow("still running");
    expect(store.size).toBe(2);
  });

  it("replaces an ended response of the same id, and counts it once", () => {
    const store = new ResponseStore({ entries: 2, bytes: 1e6 });
    store.keep("a", stored("a", "completed", "x".repeat(500)));
    const second = stored("a");
    store.keep("a", second);
    expect([store.size, store.bytes]).toEqual([1, second.bytes]);
  });

  it("keeps nothing where it has no room at all", () => {
    const store = new ResponseStore({ entries: 0, bytes: 1e6 });
    store.keep("a", stored("a"));
    expect(() => store.admit("b", stored("b", "queued"))).toThrow();
    expect(store.size).toBe(0);
  });
});
