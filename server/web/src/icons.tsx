/** The rail's signs: a stroke each, 16 × 16. */
const PATHS = {
  home: "M2.5 7.5 8 3l5.5 4.5V13a.5.5 0 0 1-.5.5H9.5V10h-3v3.5H3a.5.5 0 0 1-.5-.5z",
  curves: "M2.5 2.5v11h11M4.5 5c3 .3 4.500 2 5.500 4s2 2.500 3.500 2.700",
  explorer: "M2.500 3.500h11M2.500 3.500v0M2.500 6.500h6M6 9.500h7.500M4 12.500h4",
  live: "M1.500 8h3l2-4.500 3 9 2-4.500h3",
  requests: "M2.500 4h8M2.500 8h11M2.500 12h6",
  plan: "M3 13.500v-4M6.500 13.500v-7M10 13.500V8M13.500 13.500v-11",
  docs: "M4 2.500h5.500L12.500 5.500v8h-8.500zM6 8h4.500M6 10.500h4.500",
} as const;

export function Icon({ name }: { readonly name: string }) {
  const path = PATHS[name as keyof typeof PATHS];
  return path === undefined ? null : (
    <svg viewBox="0 0 16 16" aria-hidden="true">
      <path d={path} />
    </svg>
  );
}
