/** How wide a part of the page is drawn, px: followed as the page changes. */
import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";

/** `first` holds until the part is laid out. */
export function useWidth(place: RefObject<Element | null>, first: number): number {
  const [width, setWidth] = useState(first);
  useEffect(() => {
    if (place.current === null) return;
    const watch = new ResizeObserver(([entry]) => setWidth(entry?.contentRect.width ?? first));
    watch.observe(place.current);
    return () => watch.disconnect();
  }, []);
  return width;
}
