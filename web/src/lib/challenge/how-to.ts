/** Commands that work as they are, for this server and this challenge. */
import type { Kind } from '$lib/api/schema';

export interface Recipe {
    /** `curl`, … */
    name: string;
    code: string;
}

/** How to submit a file of `kind` to `slug` on the server at `origin`. */
export function recipesFor(origin: string, slug: string, kind: Kind): Recipe[] {
    const address = `${origin}/api/v1/challenges/${slug}/submissions`;
    const isModel = kind === 'model';
    const file = isModel ? 'model.safetensors' : 'predictions.csv';
    const fields = isModel ? ['kind=model', 'architecture=resnet50'] : [];
    const data = [...fields, 'method=my method', 'outside_data=false'].map((field) => `"${field.replace('=', '": "')}"`);
    return [
        {
            name: 'Command line',
            code: `export REFEREE_SERVER=${origin}
referee register YOUR-HANDLE    # or: referee login YOUR-HANDLE
referee challenge download ${slug}
${isModel ? '' : `referee check ${file} --challenge ${slug}\n`}referee submit ${file} --challenge ${slug} --method "my method"${isModel ? ' --architecture resnet50' : ''}`,
        },
        {
            name: 'curl',
            code: `export TOKEN=…    # from ${origin}/account
curl -H "Authorization: Bearer $TOKEN" \\
     -F file=@${file} ${fields.map((field) => `-F ${field} `).join('')}-F method="my method" -F outside_data=false \\
     ${address}`,
        },
        {
            name: 'Python',
            code: `import os, requests

answer = requests.post(
    "${address}",
    headers={"Authorization": f"Bearer {os.environ['TOKEN']}"},
    data={${data.join(', ')}},
    files={"file": open("${file}", "rb")},
)
answer.raise_for_status()
print(answer.json()["status"], answer.headers["Location"])`,
        },
    ];
}

/** The beginning of a file of predictions that is accepted in form, for people to start from. */
export function exampleFile(classes: number): string {
    const guesses = Array.from({ length: Math.min(5, classes) }, (_, index) => (index * 3) % classes);
    const distinct = [...new Set(guesses)];
    const header = ['image', ...distinct.map((_, index) => `label${index + 1}`)].join(',');
    return `${header}\n0,${distinct.join(',')}\n1,${[...distinct].reverse().join(',')}\n…`;
}
