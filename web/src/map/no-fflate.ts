// Stands in for the library that pmtiles would unpack with: every browser this UI is built for has DecompressionStream.

export function decompressSync(): never {
  throw new Error('this browser lacks DecompressionStream')
}
