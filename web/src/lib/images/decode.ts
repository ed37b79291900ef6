/** Photographs as small pictures. */
import type { RawImage } from './npy';

/** The side of a small picture, in pixels: twice what it is shown with. */
const SIDE = 160;

/**
 * The largest square in the middle of a JPEG or PNG file, no larger than {@link SIDE}.
 *
 * @throws {Error} where the browser cannot decode it.
 */
export async function thumbnailOf(file: Blob): Promise<RawImage> {
    const image = await createImageBitmap(file);
    const cut = Math.min(image.width, image.height);
    const side = Math.min(SIDE, cut);
    const context = new OffscreenCanvas(side, side).getContext('2d');
    if (!context) throw new Error('this browser cannot draw');
    context.imageSmoothingQuality = 'high';
    context.drawImage(image, (image.width - cut) / 2, (image.height - cut) / 2, cut, cut, 0, 0, side, side);
    image.close();
    const rgba = context.getImageData(0, 0, side, side).data;
    const pixels = new Uint8Array(3 * side * side);
    for (let pixel = 0; pixel < side * side; pixel += 1) {
        for (let channel = 0; channel < 3; channel += 1) pixels[3 * pixel + channel] = rgba[4 * pixel + channel] ?? 0;
    }
    return { height: side, width: side, channels: 3, pixels };
}
