/** Some of a challenge's images, by class where public labels say which: from its validation set or its training files. */
import type { ChallengeDocument, Class } from '$lib/api/schema';
import { bytesOf, firstImages, type RawImage } from '$lib/images/npy';

/** At most this much is downloaded for samples. */
const BUDGET_BYTES = 1 << 20;
const LABEL_BYTES = 1 << 14;
const AT_MOST = 400;
const PER_CLASS = 6;

export interface Samples {
    /** In words: where they are from. */
    source: string;
    /** By class index; empty where nothing public says which class an image has. */
    byClass: ReadonlyMap<number, readonly RawImage[]>;
    /** Without their classes. */
    unlabelled: readonly RawImage[];
}

interface Source {
    name: string;
    images: string;
    /** `null` where labels are hidden. */
    labels: string | null;
}

/** Sample images, or `null` where the challenge has none that a page can show (none public, or a tar). */
export async function samplesOf(challenge: ChallengeDocument): Promise<Samples | null> {
    const source = sourceOf(challenge);
    if (!source) return null;
    const limits = source.labels ? { atMost: AT_MOST, budget: BUDGET_BYTES } : { atMost: 32, budget: BUDGET_BYTES };
    const images = await firstImages(source.images, limits);
    if (source.labels === null) return { source: source.name, byClass: new Map(), unlabelled: images };
    const labels = labelsFrom(new TextDecoder().decode(await bytesOf(source.labels, 0, LABEL_BYTES)), challenge.classes);
    const byClass = new Map<number, RawImage[]>();
    for (const [ordinal, label] of labels) {
        const image = images[ordinal];
        const shown = byClass.get(label) ?? [];
        if (image && shown.length < PER_CLASS) byClass.set(label, [...shown, image]);
    }
    return { source: source.name, byClass, unlabelled: [] };
}

function sourceOf({ slug, validation, files, test }: ChallengeDocument): Source | null {
    const base = `/api/v1/challenges/${slug}`;
    const isNpy = (file: { filename: string } | null | undefined): boolean => file?.filename.endsWith('.npy') ?? false;
    if (validation?.labels && isNpy(validation.images)) {
        return { name: 'the validation set', images: `${base}/validation/images`, labels: `${base}/validation/labels` };
    }
    const key = Object.keys(files).find((name) => name.endsWith('-images') && isNpy(files[name]) && `${name.slice(0, -7)}-labels` in files);
    if (key) {
        const labels = `${key.slice(0, -7)}-labels`;
        return { name: files[key]?.filename ?? key, images: `${base}/files/${key}`, labels: `${base}/files/${labels}` };
    }
    return test.public_images && isNpy(test.file) ? { name: 'the test images', images: `${base}/images`, labels: null } : null;
}

/** Ordinal and class of the rows of a labels file's beginning: `image,label`, both numbers from 0 or the label a class's name or id. */
export function labelsFrom(text: string, classes: readonly Class[]): Map<number, number> {
    const labels = new Map<number, number>();
    const lines = text.split(/\r?\n/);
    // The first is the header; the last may be cut off.
    for (const line of lines.slice(1, -1)) {
        const [image = '', label = ''] = line.split(',');
        const named = classes.findIndex(({ name, id }) => name === label || id === label);
        const index = named >= 0 ? named : /^\d+$/.test(label) ? Number(label) : -1;
        if (/^\d+$/.test(image) && index >= 0 && index < classes.length) labels.set(Number(image), index);
    }
    return labels;
}
