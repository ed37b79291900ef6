/** What the API's words about submissions mean to a person. */
import type { Status, Submission } from '$lib/api/schema';

export const STATUS_WORDS: Record<Status, string> = {
    queued: 'Waiting',
    running: 'Running',
    scored: 'Scored',
    rejected: 'Rejected',
    failed: 'Failed',
    withdrawn: 'Withdrawn',
};

export const STATUS_TONES: Record<Status, 'plain' | 'good' | 'warn' | 'bad' | 'info'> = {
    queued: 'info',
    running: 'info',
    scored: 'good',
    rejected: 'bad',
    failed: 'bad',
    withdrawn: 'plain',
};

/** Whether no worker will touch it again. */
export function isFinal(status: Status): boolean {
    return status !== 'queued' && status !== 'running';
}

const STAGES: Record<string, string> = {
    starting: 'A worker has taken it',
    loading: 'Loading the model',
    validation: 'Trying the model on the validation images',
    running: 'Running the model on the test images',
    scoring: 'Scoring',
};

/** What a worker is doing: the API's word for the stage, as a sentence. */
export function stageWords(stage: string): string {
    return STAGES[stage] ?? stage.charAt(0).toUpperCase() + stage.slice(1);
}

/**
 * Whether a rejected submission has cost its team a place in the quota: a model has once it ran on hidden images, for
 * whatever became of it then is something that it learned there.
 */
export function quotaAfterRejection({ kind, model }: Pick<Submission, 'kind' | 'model'>, publicImages: boolean): string {
    // A model is described when its first test image is due.
    return kind === 'model' && model && !publicImages
        ? 'It had begun to run on the hidden test images, so it counts against the quota.'
        : 'It does not count against the quota.';
}
