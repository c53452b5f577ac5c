"""The main job on one machine, with make-believe residents; speaks HTTP like anyone else."""
