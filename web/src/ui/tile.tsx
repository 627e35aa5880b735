// A figure with its name and its unit, in a row of such.
export function Tile({
  name,
  value,
  unit,
  id,
}: {
  name: string;
  value: string;
  unit: string;
  id: string;
}) {
  return (
    <div class="tile">
      <dt>{name}</dt>
      <dd>
        <strong data-tile={id}>{value}</strong>
        <span>{unit}</span>
      </dd>
    </div>
  );
}
