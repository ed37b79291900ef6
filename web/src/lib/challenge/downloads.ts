/** What of a challenge anyone may download. */
import type { ChallengeDocument, StoredFile } from '$lib/api/schema';

export interface Download {
    /** Of the address, from `/api` on. */
    path: string;
    file: StoredFile;
    what: string;
}

/** The organizers' files, then the images and labels that the challenge makes public. */
export function downloadsOf({ slug, files, test, validation }: ChallengeDocument): Download[] {
    const base = `/api/v1/challenges/${slug}`;
    const downloads: Download[] = Object.entries(files).map(([key, file]) => ({ path: `${base}/files/${key}`, file, what: words(key) }));
    if (test.public_images && test.file) {
        downloads.push({ path: `${base}/images`, file: test.file, what: 'Test images: what to predict' });
    }
    if (validation?.images) {
        downloads.push({ path: `${base}/validation/images`, file: validation.images, what: 'Validation images' });
    }
    if (validation?.labels) {
        downloads.push({ path: `${base}/validation/labels`, file: validation.labels, what: 'Validation labels, public' });
    }
    return downloads;
}

/** Addresses of the organizers' files by the names that the description may call them by: where it shows one as an image. */
export function imagesOf({ slug, files }: Pick<ChallengeDocument, 'slug' | 'files'>): Map<string, string> {
    return new Map(Object.entries(files).map(([key, { filename }]) => [filename, `/api/v1/challenges/${slug}/files/${key}`]));
}

/** `train-images` is `Train images`. */
function words(key: string): string {
    const spaced = key.replace(/[-_]+/g, ' ');
    return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}
