/** A server whose device fails when it is told to. */
import type { Batch, StepResult } from "../../device/device.ts";
import type { TestServer } from "./server.ts";

export const FIRE = "the chip is on fire";

/** Steps from so many steps on fail, counted from the call; undefined: none does. */
export function failing({ world: { device } }: Pick<TestServer, "world">) {
  const execute = device.execute.bind(device);
  let left: number | undefined;
  Object.assign(device, {
    execute: (batch: Batch, done: (result: StepResult) => void) => {
      if (left === 0) {
        setImmediate(() => done({ ok: false, error: new Error(FIRE) }));
        return;
      }
      if (left !== undefined) left--;
      execute(batch, done);
    },
  });
  return (after: number | undefined): void => {
    left = after;
  };
}
