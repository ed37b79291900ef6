/** What the API's words about submissions mean to a person. */
import type { Status } from '$lib/api/schema';

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
