/** Which data-parallel ranks a server runs, and what is refused because it means other hosts. */
import { describe, expect, it } from "vitest";
import type { Engine } from "../../../engine/engine.ts";
import { parseSettings } from "../../../server/config.ts";
import { Engines } from "../../../server/engines.ts";
import { parallelRanks } from "../../../server/world/parallel.ts";

const ranks = (line: string, moe = true) =>
  parallelRanks(parseSettings(line.split(" ")).settings, { moe });

describe("the ranks of a server", () => {
  it.each([
    ["-tp 1", 0, 1, 1],
    ["--data-parallel-size 4", 0, 4, 4],
    ["-dp 4 -dpl 4", 0, 4, 4],
    ["-dp 4 -dpl 4 --data-parallel-backend mp --data-parallel-address 127.0.0.1", 0, 4, 4],
    ["-dp 4 -dpl 2 -dpr 0", 0, 2, 4],
    ["-dp 4 -dpl 2 -dpr 2", 2, 2, 4],
    ["-dp 4 -dpl 2 -dpr 2 -dph", 2, 2, 4],
    ["-dp 4 -dpn 3", 3, 1, 4],
    ["-dp 4 -dpn 1 -dpe -dpl 1", 1, 1, 4],
    ["-dp 1 -dpn 0", 0, 1, 1],
  ])("of %s are [%i, + %i) of %i", (line, first, count, size) => {
    expect(ranks(line)).toEqual({ first, count, size });
  });

  it.each([
    ["-dp 4 -dpl 2", "the others would be engines of other hosts"],
    ["-dp 2 -dpl 4", "--data-parallel-size-local 4 is more than --data-parallel-size 2"],
    ["-dp 4 -dph", "need --data-parallel-size-local"],
    ["-dp 4 -dpr 2", "need --data-parallel-size-local"],
    ["-dp 4 -dpl 2 -dpr 3", "--data-parallel-start-rank 3 is out of range"],
    ["-dp 4 -dpn 4", "--data-parallel-rank 4 is out of range"],
    ["-dp 4 -dpe", "--data-parallel-external-lb needs --data-parallel-rank"],
    ["-dp 4 -dpn 1 -dpl 2", "--data-parallel-size-local must be 1, got 2"],
    ["-dp 4 -dpn 1 -dph", "give one"],
    ["-dp 2 --data-parallel-address 10.0.0.7", "put a router in front of several servers"],
    ["-dp 2 --data-parallel-backend ray", "put a router in front of several servers"],
    ["-dp 2 --nnodes 2", "put a router in front of several servers"],
    ["-dp 2 -dpm", "start one for each --data-parallel-rank"],
  ])("are refused of %s", (line, why) => {
    expect(() => ranks(line)).toThrow(why);
  });

  it("are not balanced from outside without experts, as in vLLM", () => {
    expect(() => ranks("-dp 2 -dpn 1", false)).toThrow("as independent servers");
    expect(ranks("-dp 2", false)).toEqual({ first: 0, count: 2, size: 2 });
  });
});

describe("the engine of the next request", () => {
  const engine = (waiting: number, running: number, kvUsage = 0) =>
    ({ waiting, running, kvUsage, subscribe: () => () => {} }) as unknown as Engine; // all that is read

  const chosen = (engines: readonly Engine[], times: number) => {
    const group = new Engines(engines);
    return Array.from({ length: times }, () => group.choose());
  };

  it("takes turns among equals", () => {
    expect(chosen([engine(0, 0), engine(0, 0), engine(0, 0)], 4)).toEqual([0, 1, 2, 0]);
  });

  it("is the least loaded", () => {
    expect(chosen([engine(0, 3), engine(0, 1), engine(1, 1)], 3)).toEqual([1, 1, 1]);
  });

  it("is rather another than one whose queue waits for room", () => {
    expect(chosen([engine(2, 2, 1), engine(1, 8, 0.5)], 2)).toEqual([1, 1]);
    expect(chosen([engine(2, 2, 0.5), engine(1, 8, 0.5)], 2)).toEqual([0, 0]);
  });

  it("is the one a header names", () => {
    expect(new Engines([engine(0, 9), engine(0, 0)]).choose(0)).toBe(0);
  });
});
