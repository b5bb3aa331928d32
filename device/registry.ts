/** Devices by name, loaded when asked for. A device is one folder and one line here. */
import type { Device } from "./device.ts";
import type { DeviceFactory, DeviceSettings } from "./settings.ts";

/**
 * What a device is for: `empty` gives seeded values at once; `computes` runs a model's
 * weights here; `simulates` keeps another machine's time and may take values from one that computes.
 */
export type DeviceRole = "empty" | "computes" | "simulates";

interface Entry {
  readonly role: DeviceRole;
  readonly load: () => Promise<DeviceFactory>;
}

const DEVICES: Readonly<Record<string, Entry>> = Object.freeze({
  null: { role: "empty", load: async () => (await import("./null/device.ts")).createNullDevice },
  cpu: { role: "computes", load: async () => (await import("./cpu/device.ts")).createCpuDevice },
  trainium: {
    role: "simulates",
    load: async () => (await import("./trainium/device.ts")).createTrainiumDevice,
  },
});

export const deviceNames: readonly string[] = Object.keys(DEVICES);

/** Throws for a name that is unknown. */
export function roleOf(name: string): DeviceRole {
  return entry(name).role;
}

/** The first device of a role. */
export function deviceOf(role: DeviceRole): string {
  const found = deviceNames.find((name) => DEVICES[name]?.role === role);
  if (found === undefined) throw new Error(`No device ${role}.`);
  return found;
}

export async function createDevice(name: string, settings: DeviceSettings): Promise<Device> {
  return (await entry(name).load())(settings);
}

function entry(name: string): Entry {
  const found = DEVICES[name];
  if (found === undefined) {
    throw new Error(`Unknown device "${name}"; known: ${deviceNames.join(", ")}.`);
  }
  return found;
}
