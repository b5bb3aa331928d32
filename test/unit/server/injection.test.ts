/** How failures on purpose are written, and whom they befall. */
import { describe, expect, it } from "vitest";
import { parseSettings } from "../../../server/config.ts";
import { FaultDraw } from "../../../server/injection/inject.ts";
import { readFault } from "../../../server/settings/fault-spec.ts";

describe("a failure on purpose", () => {
  it.each([
    ["status", { kind: "status", status: 500 }, 1],
    ["status=429@10%", { kind: "status", status: 429 }, 0.1],
    ["cut", { kind: "cut", after: 1 }, 1],
    ["cut=0@.5", { kind: "cut", after: 0 }, 0.5],
    ["malformed=7", { kind: "malformed", after: 7 }, 1],
    ["slow-first-token=2.5s", { kind: "slow-first-token", ms: 2500 }, 1],
    ["slow-first-token=2", { kind: "slow-first-token", ms: 2000 }, 1],
    ["stall=300ms", { kind: "stall", ms: 300, after: 1 }, 1],
    ["stall=1s:8@1", { kind: "stall", ms: 1000, after: 8 }, 1],
    ["pace=50ms@100%", { kind: "pace", ms: 50 }, 1],
  ])("%s", (text, fault, rate) => {
    expect(readFault(text)).toEqual({ fault, rate });
  });

  it.each([
    ["", "KIND of status, cut"],
    ["delay=3", "KIND of status, cut"],
    ["constructor", "KIND of status, cut"],
    ["status=200", "400 to 599"],
    ["status=5e2", "400 to 599"],
    ["status=503@0", "above 0"],
    ["status=503@110%", "above 0"],
    ["status=503@", "above 0"],
    ["status=503@1@1", "KIND[=VALUE]"],
    ["cut=-1", "counts events"],
    ["cut=1.5", "counts events"],
    ["stall", "takes a time"],
    ["stall=:3", "takes a time"],
    ["stall=2h", "takes a time"],
    ["pace=0", "takes a time"],
  ])("%s is refused with the flag's name", (text, why) => {
    const argv = ["--inject", "cut", text === "" ? "=" : text];
    expect(() => parseSettings(argv)).toThrow(why);
    expect(() => parseSettings(argv)).toThrow(/^--inject /);
  });
});

describe("the draw", () => {
  const specs = ["status=500@25%", "cut=2@50%", "cut=9"].map(readFault);
  const drawn = (seed: number) => {
    const draw = new FaultDraw(seed);
    return Array.from({ length: 2000 }, () => draw.of(specs));
  };

  it("is the same for a seed, and another for another", () => {
    expect(drawn(3)).toEqual(drawn(3));
    expect(drawn(3)).not.toEqual(drawn(4));
  });

  it("keeps the rates, and takes the first of a kind", () => {
    const all = drawn(1);
    const share = (of: (kind: string, after?: number) => boolean) =>
      all.filter((faults) =>
        faults.some((fault) => of(fault.kind, "after" in fault ? fault.after : undefined)),
      ).length / all.length;
    expect(share((kind) => kind === "status")).toBeCloseTo(0.25, 1);
    expect(share((kind, after) => kind === "cut" && after === 2)).toBeCloseTo(0.5, 1);
    expect(share((kind) => kind === "cut")).toBe(1);
    expect(all.every((faults) => faults.length <= 2)).toBe(true);
  });
});
