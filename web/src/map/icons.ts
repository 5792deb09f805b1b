// Icons as paths on a 24 × 24 field, one drawing for the map's sprites and for the pages.

/** What things on the map look like; drawn in one colour on a chip. */
export const ICONS = {
  probe: 'M12 4 L18 20 L12 16.5 L6 20 Z',
  police: 'M12 3 L19.5 5.6 V11.4 C19.5 16.2 16.4 19.6 12 21.4 C7.6 19.6 4.5 16.2 4.5 11.4 V5.6 Z M12 7.6 L10.8 10.6 L7.6 10.8 L10.1 12.8 L9.3 15.9 L12 14.2 L14.7 15.9 L13.9 12.8 L16.4 10.8 L13.2 10.6 Z',
  fire: 'M12.6 2.8 C13.2 6.4 18.2 8.6 18.2 14.2 C18.2 18.2 15.4 21 12 21 C8.6 21 5.8 18.2 5.8 14.4 C5.8 11.6 7.4 9.8 8.6 8.4 C8.8 10.2 9.4 11.2 10.4 11.8 C10 8.4 10.8 5 12.6 2.8 Z M12 18.8 C13.6 18.8 14.6 17.6 14.6 16.2 C14.6 14.6 13.2 13.6 12.4 12.4 C12 13.6 9.4 14.4 9.4 16.4 C9.4 17.8 10.6 18.8 12 18.8 Z',
  ambulance: 'M9.4 4 H14.6 V9.4 H20 V14.6 H14.6 V20 H9.4 V14.6 H4 V9.4 H9.4 Z',
  sprinkler: 'M12 3 C15 7.4 18 10.6 18 14.4 C18 18 15.4 20.6 12 20.6 C8.6 20.6 6 18 6 14.4 C6 10.6 9 7.4 12 3 Z',
  bus: 'M6.2 4 H17.8 C19 4 19.6 4.8 19.6 5.8 V17.4 H18 V19.8 H15.4 V17.4 H8.6 V19.8 H6 V17.4 H4.4 V5.8 C4.4 4.8 5 4 6.2 4 Z M6.4 6.6 V11.6 H17.6 V6.6 Z',
  crew: 'M20.6 7 A5.4 5.4 0 0 1 13.4 13.2 L7.6 19.6 A2.2 2.2 0 0 1 4.4 16.4 L10.8 10.6 A5.4 5.4 0 0 1 17 3.4 L13.8 6.6 L14.4 9.6 L17.4 10.2 Z',
  hospital: 'M5 4 H8.6 V10.2 H15.4 V4 H19 V20 H15.4 V13.6 H8.6 V20 H5 Z',
  fire_station: 'M4 20 V10 L12 4 L20 10 V20 H15.4 V13 H8.6 V20 Z',
  police_station: 'M12 3 L19.5 5.6 V11.4 C19.5 16.2 16.4 19.6 12 21.4 C7.6 19.6 4.5 16.2 4.5 11.4 V5.6 Z',
  school: 'M12 4 L22 9 L12 14 L2 9 Z M6 12.6 L12 15.6 L18 12.6 V17 L12 20 L6 17 Z',
  government: 'M12 3.4 L14.6 9.2 L20.8 9.8 L16.2 14 L17.5 20.2 L12 17 L6.5 20.2 L7.8 14 L3.2 9.8 L9.4 9.2 Z',
  camera: 'M3.4 7 H15.4 V17 H3.4 Z M16.6 11 L21 7.6 V16.4 L16.6 13 Z',
  detector: 'M12 5 A7 7 0 1 1 11.99 5 Z M12 9 A3 3 0 1 0 12.01 9 Z',
  signal: 'M8.4 3 H15.6 V21 H8.4 Z M12 5.2 A1.7 1.7 0 1 0 12.01 5.2 Z M12 10.3 A1.7 1.7 0 1 0 12.01 10.3 Z M12 15.4 A1.7 1.7 0 1 0 12.01 15.4 Z',
  construction_site: 'M12 4 L21 20 H3 Z M11 10 V14.6 H13 V10 Z M11 16 V18 H13 V16 Z',
  weather_station: 'M7 18.6 A4 4 0 0 1 6.6 10.8 A5.6 5.6 0 0 1 17.4 10.2 A4.2 4.2 0 0 1 17 18.6 Z',
  bridge: 'M3 8 H21 V10.4 H19.6 V18 H17.4 V14.4 C15.8 11.6 8.2 11.6 6.6 14.4 V18 H4.4 V10.4 H3 Z',
  park: 'M12 3 L17.4 11 H15 L19 17 H13.1 V21 H10.9 V17 H5 L9 11 H6.6 Z',
  station: 'M6 3.6 H18 V16.6 H6 Z M8 6 V11 H16 V6 Z M7 18 L5 21 H7.4 L8.8 18 Z M15.2 18 L16.6 21 H19 L17 18 Z',
  square: 'M4 18 H20 V20.4 H4 Z M11 4 H13 L14 16.6 H10 Z',
  place: 'M12 6 A6 6 0 1 1 11.99 6 Z',
} as const

export type Icon = keyof typeof ICONS

export const iconOf = (kind: string): Icon => (kind in ICONS ? (kind as Icon) : 'place')

/** Outline of an emergency level's badge: octagon I, diamond II, triangle III, circle IV: shape says it without colour. */
export const SEVERITY_SHAPES = {
  1: 'M7.6 1.4 H16.4 L22.6 7.6 V16.4 L16.4 22.6 H7.6 L1.4 16.4 V7.6 Z',
  2: 'M12 0.6 L23.4 12 L12 23.4 L0.6 12 Z',
  3: 'M12 1 L23.6 22 H0.4 Z',
  4: 'M12 1 A11 11 0 1 1 11.99 1 Z',
} as const

export const NUMERALS = { 1: 'I', 2: 'II', 3: 'III', 4: 'IV' } as const
