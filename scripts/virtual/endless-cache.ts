/**
 * A device whose KV pool is as large as asked, whatever its memory holds: for
 * the question how much a prefix cache could find if nothing were ever evicted.
 * Steps cost what they cost; only the pool is fiction, and the report says so.
 */
import type { Device } from "../../device/device.ts";

export function withBlocks(device: Device, blocks: number): Device {
  return {
    name: device.name,
    vocabSize: device.vocabSize,
    can: device.can,
    limits: { ...device.limits, blocks },
    execute: (batch, done) => device.execute(batch, done),
    release: (ids) => device.release(ids),
    close: () => device.close(),
    ...(device.draft === undefined ? {} : { draft: device.draft.bind(device) }),
  };
}
