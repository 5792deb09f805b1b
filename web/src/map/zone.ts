// How large the wall is: one rem is a 120th of a 16:9 field, and the map's text follows.

export interface Zone {
  /** Size against 1080p. */
  scale: number
  /** Pixels of the map that panels cover on each side. */
  padding: { top: number; right: number; bottom: number; left: number }
}

const REM_AT_1080P = 16

export const rem = (): number => parseFloat(getComputedStyle(document.documentElement).fontSize)
export const wallScale = (): number => rem() / REM_AT_1080P

/** Returns what is free of the map: `side` and the bars are in rem. */
export function zone(side: number, top: number, bottom: number): Zone {
  const unit = rem()
  return { scale: unit / REM_AT_1080P, padding: { top: top * unit, bottom: bottom * unit, left: side * unit, right: side * unit } }
}
