//! The columns of each kind.

use serde_json::{Value, json};

/// One column.
pub(super) struct Column {
    name: &'static str,
    kind: &'static str,
    format: &'static str,
    description: &'static str,
    /// 0 is always shown, 1 with `-o wide`.
    priority: i32,
}

impl Column {
    const fn text(name: &'static str, description: &'static str) -> Self {
        Self { name, kind: "string", format: "", description, priority: 0 }
    }

    const fn of(kind: &'static str, name: &'static str, description: &'static str) -> Self {
        Self { name, kind, format: "", description, priority: 0 }
    }

    const fn wide(self) -> Self {
        Self { priority: 1, ..self }
    }

    /// The `TableColumnDefinition`.
    pub(super) fn definition(&self) -> Value {
        json!({
            "name": self.name,
            "type": self.kind,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        })
    }
}

const NAME: Column =
    Column { format: "name", ..Column::text("Name", "Name of the object, unique in its namespace") };
const AGE: Column = Column::text("Age", "Time since the object was created");
const CONTAINERS: Column = Column::text("Containers", "Names of the containers of the pod template").wide();
const IMAGES: Column = Column::text("Images", "Images of the containers of the pod template").wide();
const SELECTOR: Column = Column::text("Selector", "Labels of the pods that belong to the object").wide();
const DESIRED: Column = Column::of("integer", "Desired", "Number of pods that are wanted");
const CURRENT: Column = Column::of("integer", "Current", "Number of pods that exist");
const READY: Column = Column::of("integer", "Ready", "Number of pods that are ready");

pub(super) const ANY: &[Column] = &[NAME, Column::of("date", "Created At", "When the object was created")];

pub(super) const BINDINGS: &[Column] = &[
    NAME,
    Column::text("Role", "The role that is granted"),
    AGE,
    Column::text("Users", "Users to whom the role is granted").wide(),
    Column::text("Groups", "Groups to which the role is granted").wide(),
    Column::text("ServiceAccounts", "Service accounts to which the role is granted").wide(),
];

pub(super) const CONFIG_MAPS: &[Column] = &[NAME, Column::text("Data", "Number of entries"), AGE];

pub(super) const CRON_JOBS: &[Column] = &[
    NAME,
    Column::text("Schedule", "When the job runs, in cron's format"),
    Column::text("Timezone", "Time zone of the schedule"),
    Column::of("boolean", "Suspend", "Whether later runs are held back"),
    Column::of("integer", "Active", "Number of jobs that run"),
    Column::text("Last Schedule", "Time since a job was last started"),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub(super) const DAEMON_SETS: &[Column] = &[
    NAME,
    Column::of("integer", "Desired", "Number of nodes that should run the pod"),
    Column::of("integer", "Current", "Number of nodes that run the pod and should"),
    Column::of("integer", "Ready", "Number of nodes whose pod is ready"),
    Column::of("integer", "Up-to-date", "Number of nodes that run the newest template"),
    Column::of("integer", "Available", "Number of nodes whose pod is available"),
    Column::text("Node Selector", "Labels of the nodes that are chosen"),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub(super) const DEPLOYMENTS: &[Column] = &[
    NAME,
    Column::text("Ready", "Pods that are ready, of those wanted"),
    Column::text("Up-to-date", "Number of pods of the newest template"),
    Column::text("Available", "Number of pods that are available"),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub(super) const ENDPOINTS: &[Column] = &[NAME, Column::text("Endpoints", "Addresses and ports"), AGE];

pub(super) const ENDPOINT_SLICES: &[Column] = &[
    NAME,
    Column::text("AddressType", "Kind of the addresses"),
    Column::text("Ports", "Ports of every endpoint"),
    Column::text("Endpoints", "Addresses of the endpoints"),
    AGE,
];

pub(super) const EVENTS: &[Column] = &[
    Column::text("Last Seen", "Time since the event happened last"),
    Column::text("Type", "Normal or Warning"),
    Column::text("Reason", "Why, in one word"),
    Column::text("Object", "What the event is about"),
    Column::text("Subobject", "Which part of the object it is about").wide(),
    Column::text("Source", "Who tells it").wide(),
    Column::text("Message", "What happened"),
    Column::text("First Seen", "Time since the event happened first").wide(),
    Column::text("Count", "How often it happened").wide(),
    NAME.wide(),
];

pub(super) const INGRESSES: &[Column] = &[
    NAME,
    Column::text("Class", "The ingress class"),
    Column::text("Hosts", "Host names that the rules match"),
    Column::text("Address", "Where the load balancer listens"),
    Column::text("Ports", "Ports that are open"),
    AGE,
];

pub(super) const JOBS: &[Column] = &[
    NAME,
    Column::text("Status", "How far the job is"),
    Column::text("Completions", "Pods that succeeded, of those wanted"),
    Column::text("Duration", "Time that the job took, or has taken"),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub(super) const LEASES: &[Column] = &[NAME, Column::text("Holder", "Who holds the lease"), AGE];

pub(super) const NAMESPACES: &[Column] = &[NAME, Column::text("Status", "Active or Terminating"), AGE];

pub(super) const NETWORK_POLICIES: &[Column] =
    &[NAME, Column::text("Pod-Selector", "Labels of the pods that it is about"), AGE];

pub(super) const NODES: &[Column] = &[
    NAME,
    Column::text("Status", "Whether the node is ready and takes pods"),
    Column::text("Roles", "Roles by the node's labels"),
    AGE,
    Column::text("Version", "Version of the kubelet"),
    Column::text("Internal-IP", "Address inside the cluster").wide(),
    Column::text("External-IP", "Address outside the cluster").wide(),
    Column::text("OS-Image", "Operating system").wide(),
    Column::text("Kernel-Version", "Version of the kernel").wide(),
    Column::text("Container-Runtime", "Container runtime and its version").wide(),
];

pub(super) const PERSISTENT_VOLUMES: &[Column] = &[
    NAME,
    Column::text("Capacity", "Size of the volume"),
    Column::text("Access Modes", "How the volume can be mounted"),
    Column::text("Reclaim Policy", "What happens to the volume after its claim"),
    Column::text("Status", "Phase of the volume"),
    Column::text("Claim", "The claim that holds the volume"),
    Column::text("StorageClass", "Storage class of the volume"),
    Column::text("VolumeAttributesClass", "Volume attributes class of the volume"),
    Column::text("Reason", "Why the volume is in its phase"),
    AGE,
    Column::text("VolumeMode", "Filesystem or Block").wide(),
];

pub(super) const PERSISTENT_VOLUME_CLAIMS: &[Column] = &[
    NAME,
    Column::text("Status", "Phase of the claim"),
    Column::text("Volume", "The volume that the claim holds"),
    Column::text("Capacity", "Size of the volume"),
    Column::text("Access Modes", "How the volume can be mounted"),
    Column::text("StorageClass", "Storage class of the claim"),
    Column::text("VolumeAttributesClass", "Volume attributes class of the claim"),
    AGE,
    Column::text("VolumeMode", "Filesystem or Block").wide(),
];

pub(super) const PODS: &[Column] = &[
    NAME,
    Column::text("Ready", "Containers that are ready, of all"),
    Column::text("Status", "What the containers are doing, taken together"),
    Column::text("Restarts", "How often containers were restarted, and when last"),
    AGE,
    Column::text("IP", "Address of the pod").wide(),
    Column::text("Node", "The node on which the pod runs").wide(),
    Column::text("Nominated Node", "The node on which the pod will run after preemption").wide(),
    Column::text("Readiness Gates", "Readiness gates that are true, of all").wide(),
];

pub(super) const REPLICA_SETS: &[Column] =
    &[NAME, DESIRED, CURRENT, READY, AGE, CONTAINERS, IMAGES, SELECTOR];

pub(super) const RESOURCE_QUOTAS: &[Column] = &[
    NAME,
    Column::text("Request", "Requested amounts, of what is allowed"),
    Column::text("Limit", "Limits, of what is allowed"),
    AGE,
];

pub(super) const SECRETS: &[Column] =
    &[NAME, Column::text("Type", "What the data are for"), Column::text("Data", "Number of entries"), AGE];

pub(super) const SERVICES: &[Column] = &[
    NAME,
    Column::text("Type", "How the service is reached"),
    Column::text("Cluster-IP", "Address inside the cluster"),
    Column::text("External-IP", "Addresses outside the cluster"),
    Column::text("Port(s)", "Ports of the service"),
    AGE,
    Column::text("Selector", "Labels of the pods behind the service").wide(),
];

pub(super) const SERVICE_ACCOUNTS: &[Column] = &[NAME, AGE];

pub(super) const STATEFUL_SETS: &[Column] =
    &[NAME, Column::text("Ready", "Pods that are ready, of those wanted"), AGE, CONTAINERS, IMAGES];

pub(super) const STORAGE_CLASSES: &[Column] = &[
    NAME,
    Column::text("Provisioner", "Who makes the volumes"),
    Column::text("ReclaimPolicy", "What happens to a volume after its claim"),
    Column::text("VolumeBindingMode", "When a volume is made"),
    Column::text("AllowVolumeExpansion", "Whether volumes can grow"),
    AGE,
];
