/** Markers of JPEG files (ITU-T T.81, table B.1). */
const [START, SCAN, EXIF] = [0xd8, 0xda, 0xe1];
/** Frames of 8-bit pictures coded by Huffman's method: baseline, extended, progressive. */
const FRAMES = [0xc0, 0xc1, 0xc2];
/** No file has more pixels a byte: a block of 8 x 8 takes at least one bit. */
const MOST_PIXELS = 512;
const ORIENTATION = 0x0112;
const SHORT = 3;

/**
 * Width and height of a JPEG file that needs nothing but to be decoded: grey or three channels of 8 bits, upright, its
 * header without a flaw. Undefined for everything else, also for what cannot be complete.
 */
export function plainJpegSize(bytes: Uint8Array): { width: number; height: number } | undefined {
  if (bytes[0] !== 0xff || bytes[1] !== START) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let size: { width: number; height: number } | undefined;
  for (let at = 2; at + 4 <= bytes.length; ) {
    if (bytes[at] !== 0xff) return undefined;
    const marker = bytes[at + 1]!;
    const end = at + 2 + view.getUint16(at + 2);
    if (marker === SCAN) return size;
    // Tables, comments and data of applications have lengths; what has none does not come before a scan.
    const known =
      marker === 0xc4 || (marker >= 0xdb && marker <= 0xdd) || (marker >= 0xe0 && marker <= 0xef) || marker === 0xfe;
    if (FRAMES.includes(marker) && size === undefined) size = frameSize(view, at + 4, end);
    else if (!known) return undefined;
    if ((FRAMES.includes(marker) && size === undefined) || end > bytes.length) return undefined;
    if (marker === EXIF && !isUpright(view, at + 4, end)) return undefined;
    at = end;
  }
  return undefined;
}

function frameSize(view: DataView, at: number, end: number): { width: number; height: number } | undefined {
  if (at + 6 > end || end > view.byteLength || view.getUint8(at) !== 8) return undefined;
  const [height, width, channels] = [view.getUint16(at + 1), view.getUint16(at + 3), view.getUint8(at + 5)];
  if (width === 0 || height === 0 || (channels !== 1 && channels !== 3)) return undefined;
  return width * height <= MOST_PIXELS * view.byteLength ? { width, height } : undefined;
}

/** Whether data of an application says nothing of turned pixels: not Exif, or its first directory has no other orientation than 1. */
function isUpright(view: DataView, at: number, end: number): boolean {
  const text = (from: number, length: number) =>
    from + length <= end ? String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + from, length)) : '';
  if (text(at, 4) !== 'Exif') return true;
  const tiff = at + 6;
  const order = text(tiff, 2);
  if (order !== 'II' && order !== 'MM') return false;
  const little = order === 'II';
  if (tiff + 8 > end) return false;
  const directory = tiff + view.getUint32(tiff + 4, little);
  if (directory + 2 > end) return false;
  const entries = directory + 2;
  const count = view.getUint16(directory, little);
  if (entries + count * 12 > end) return false;
  for (let entry = entries; entry < entries + count * 12; entry += 12) {
    if (view.getUint16(entry, little) !== ORIENTATION) continue;
    const upright = view.getUint16(entry + 2, little) === SHORT && view.getUint16(entry + 8, little) === 1;
    if (!upright) return false;
  }
  return true;
}
